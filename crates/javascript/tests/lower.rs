//! What comes out of lowering, whatever goes in.

use racewalk_ir::{BindingKind, Event, Expr, FunctionId, FunctionKind, Module, Name, SuspendKind};
use racewalk_javascript::{Source, Syntax, lower};

fn lowered(text: &str, syntax: Syntax) -> Module {
    lower(Source { text, name: Name::new("test"), syntax })
}

/// Markers nest, and what an expression is made of comes before it.
fn verify(text: &str, module: &Module) {
    for (index, span) in module.spans.iter().enumerate() {
        assert!(span.start <= span.end && span.end as usize <= text.len(), "expression {index}: {span:?} in {text:?}");
        if let Expr::Call(callee, call) = module.exprs[index] {
            assert!(callee.index() < index && module.args(call).iter().all(|arg| arg.value.index() < index));
        }
    }
    for function in &module.functions {
        let mut open = Vec::new();
        for event in &function.events {
            match event {
                Event::Branch(_) => open.push("branch"),
                Event::Loop(_) => open.push("loop"),
                Event::Try => open.push("try"),
                Event::Enter(..) => open.push("scope"),
                Event::EndBranch(_) => assert_eq!(open.pop(), Some("branch"), "{text:?}"),
                Event::EndLoopElse => assert_eq!(open.pop(), Some("loop"), "{text:?}"),
                Event::EndTry => assert_eq!(open.pop(), Some("try"), "{text:?}"),
                Event::Exit(..) => assert_eq!(open.pop(), Some("scope"), "{text:?}"),
                _ => {}
            }
        }
        assert!(open.is_empty(), "{open:?} in {text:?}");
    }
}

const EVERYTHING: &str = r#"
import def, { a as b, type T } from "./x.js"; import * as ns from 'y'; import z = require("z");
export * from "./all"; export * as every from "./every"; export { b as default, c as "odd name" }; export = c;
const { d, e: [f, , ...g], h = await i(), ...rest } = j, [k, { l }] = m; var n; let o: Promise<string | null>[] = [];
@dec() abstract class P<T extends Q> extends R.S<T> implements U {
  static #v = new Map<string, W>(); accessor x = 1; declare y: string; get z() { return this.#v } set z(_) {}
  static { this.#v.set("a", b) } constructor(private readonly aa: BB, @Inject() cc?: DD) { super(cc); }
  async *[Symbol.asyncIterator]() { yield* this.ee(); for await (const { ff } of gg) yield ff?.hh?.[ii]?.(); }
  jj = async () => { await using kk = ll(); return super.mm(); }; abstract nn(): void; oo(): void; oo(pp?: string) {}
}
function qq<T>(this: P, rr = ss, ...tt: T[]): asserts rr is T { switch (rr) { case 1: case 2: break; default: uu(); }
  outer: for (let i = 0, j; i < 3; i++) { do { if (i) continue outer; else break; } while (await vv()); }
  for (const k in ww) try { throw new Error(`not implemented ${k}`) } catch { } finally { xx?.yy() } }
enum Zz { A = 1, "b" } namespace N.M { export const q = 1 } type Al<T> = { [K in keyof T]?: T[K] } & { m(): this };
declare module "mod" { } interface Ii extends Jj<Kk> { ll: string; mm?(nn: string): Promise<void>; new (): Ii; [oo: string]: any }
x ||= y; x ??= z; x.y.z **= 2; ({ a: x.y, b: [z.q] = [] } = w); delete x.y; void x(); typeof y; !z; -1; x++; --y.z;
const obj = { a, get b() { return 1 }, async *c() {}, ["d" + e]: f, ...g, h: (i, { j }) => ({ i, j }), "k-l": class {} };
new Promise((resolve, reject) => setTimeout(resolve, 1_000)).then(a => a as const, <any>b).finally(c!);
tag`a${b}c${`d${e}`}`; import("./lazy").then(({ default: m }) => m.run()); a?.b!.c satisfies D; new.target; import.meta.url; 1n; /re/g;
xs.map(({ id }) => load(id)); xs.map(async (x, i) => { await x }); xs.map(load); xs.map(this.load); label: { break label; }
"#;

#[test]
fn everything_is_lowered() {
    let module = lowered(EVERYTHING, Syntax::TypeScript);
    verify(EVERYTHING, &module);
    assert!(module.problems.is_empty(), "{:?}", module.problems);
    assert_eq!((module.functions.len(), module.classes.len()), (27, 7));
}

#[test]
fn whatever_is_cut_off_is_lowered() {
    for syntax in [Syntax::TypeScript, Syntax::JavaScript, Syntax::Tsx, Syntax::Component, Syntax::Declarations] {
        let ends = EVERYTHING.char_indices().map(|(at, _)| at).step_by(7);
        for end in ends {
            verify(&EVERYTHING[..end], &lowered(&EVERYTHING[..end], syntax));
        }
    }
}

#[test]
fn markup_is_lowered() {
    let text = "const A = ({ b }) => <div {...c} d={e(() => f())}>{g} h <></><I.J k='l'/>{...m}</div>;";
    let module = lowered(text, Syntax::Tsx);
    verify(text, &module);
    assert!(module.problems.is_empty());
}

#[test]
fn deep_nesting_is_no_danger() {
    let on_a_thread = |text: String| {
        let work = move || verify(&text, &lowered(&text, Syntax::TypeScript));
        std::thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap().join().unwrap();
    };
    on_a_thread("(".repeat(9_000) + "1" + &")".repeat(9_000));
    on_a_thread("a=>{return [{a:".repeat(3_000) + "1" + &"}]}".repeat(3_000));
    on_a_thread("if (a) {} else ".repeat(20_000) + ";");
    on_a_thread("a?b:".repeat(20_000) + "c");
    on_a_thread("!".repeat(40_000) + "x");
    on_a_thread("(".repeat(200_000));
}

#[test]
fn names_of_inner_blocks_are_their_own() {
    let text = "const x = 1; function f() { use(x); { let x = g(); use(x); } return x; }";
    let module = lowered(text, Syntax::JavaScriptModule);
    let function = module.functions.iter().find(|function| function.name.as_str() == "f").unwrap();
    let names: Vec<&str> = function.symbols.iter().map(|symbol| symbol.name.as_str()).collect();
    assert!(names.contains(&"x'") && !names.contains(&"x"), "{names:?}");
}

#[test]
fn a_scripts_own_words_tell_what_it_exports() {
    let text = "function a() {}\nconst b = 1;\nmodule.exports = { a, c: b, d() {} };\nexports.e = a;";
    let module = lowered(text, Syntax::CommonJs);
    let exported = |name: &str| module.renamed_exports.get(&Name::new(name)).map(|symbol| symbol.as_str());
    assert_eq!((exported("a"), exported("c"), exported("e")), (Some("a"), Some("b"), Some("a")));
    let body = module.function(FunctionId(0));
    let method = body.symbol(Name::new(exported("d").unwrap())).unwrap();
    let binding = body.symbols[method.index()].bindings[0];
    assert!(matches!(module.bindings[binding.index()].kind, BindingKind::Value(_)));
}

#[test]
fn awaits_are_suspensions_wherever_they_stand() {
    let module = lowered("function f() { return await g(); }\nawait h();", Syntax::JavaScript);
    let suspends = |function: &racewalk_ir::Function| {
        function.events.iter().filter(|event| matches!(event, Event::Suspend(SuspendKind::Await, _))).count()
    };
    assert_eq!(module.functions.iter().map(suspends).collect::<Vec<_>>(), [1, 1]);
    assert!(module.problems.is_empty(), "what the parser recovers from is no problem of the file");
}

#[test]
fn members_of_instances_are_fields_and_methods() {
    let text = "class A { #a = new B(); c = () => this.#a; constructor(private d: D) {} }";
    let module = lowered(text, Syntax::TypeScript);
    let mut fields: Vec<&str> = module.classes[0].fields.iter().map(|field| field.name.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["#a", "d"]);
    let arrow = module.functions.iter().find(|function| function.name.as_str() == "c").unwrap();
    assert_eq!((arrow.kind, arrow.params[0].name.as_str()), (FunctionKind::Function, "this"));
}

#[test]
fn what_cannot_be_read_is_said() {
    let module = lowered("a b c", Syntax::JavaScriptModule);
    assert_eq!(module.problems.len(), 1);
    let bundle = "var a=function(b){return b+1},c=a(2);".repeat(1_000);
    assert!(lowered(&bundle, Syntax::JavaScript).problems[0].message.contains("minified"));
}
