//! What holds for every text, right or wrong.

use racewalk_go_syntax::{DeclKind, ExprKind, File, Node, Span, StmtKind, parse};

/// A little of everything.
const SAMPLE: &str = r#"// Package p.
package p // trailing

import (
	"context"
	e "errors"
)

const a, b = iota, 'x'

type (
	Set[K comparable, V ~int | ~string] struct {
		sync.Mutex
		m map[K][]V `json:"m"`
	}
	I interface {
		M(ctx context.Context, xs ...int) (n int, err error)
		~[]byte | E[int]
	}
	A = func(<-chan int) chan<- struct{}
)

// Run runs.
func (s *Set[K, V]) Run(ctx context.Context, jobs [4]func() error) (err error) {
	defer s.Unlock()
outer:
	for i, job := range jobs[1:2:3] {
		go func(n int) { s.m[n], err = append(s.m[n], 0x1p-2), job() }(i)
		select {
		case v, ok := <-c:
			break outer
		case c <- *p + -1:
		default:
		}
		switch x := y.(type) {
		case nil, *T:
			fallthrough
		default:
			goto end
		}
	}
	if x := (T{1, {a: 2}}); !x.ok {
		return e.New("bad\n")
	} else if y++; x < y {
		x <<= 1
	} else {
		for ; ; x++ {
		}
	}
	/* over
	lines */
	switch { case a == b: ; }
end:
}
"#;

/// Every node lies in the text, and in the node above it; comments and errors lie in the text and are in order.
fn verify(file: &File<'_>) {
    let len = file.text.len() as u32;
    let mut children = Vec::new();
    for node in file.nodes() {
        let span = node.span(file);
        assert!(span.start <= span.end && span.end <= len, "{node:?} at {span:?}");
        file.children(node, &mut children);
        for child in children.drain(..) {
            assert!(span.contains(child.span(file)), "{child:?} at {:?} in {node:?} at {span:?}", child.span(file));
        }
    }
    assert!(
        file.comments.is_sorted_by(|a, b| a.end <= b.start) && file.comments.iter().all(|comment| comment.end <= len)
    );
    assert!(
        file.errors.is_sorted_by(|a, b| a.offset < b.offset) && file.errors.iter().all(|error| error.offset <= len)
    );
}

#[test]
fn the_sample_is_fine() {
    let file = parse(SAMPLE);
    assert_eq!(file.errors, []);
    verify(&file);
    assert!(file.nodes().count() > 200);
}

#[test]
fn spans_hold_however_a_text_is_cut() {
    for end in 0..SAMPLE.len() {
        verify(&parse(&SAMPLE[..end]));
        verify(&parse(&SAMPLE[end..]));
    }
}

#[test]
fn spans_hold_whatever_is_left_out_or_put_in() {
    let words = [
        "(", ")", "[", "]", "{", "}", ",", ";", ":", ".", "...", ":=", "=", "*", "<-", "|", "func", "type", "range",
        "case", "chan", "if", "import", "x", "\"", "'", "/*", "\n", "\u{feff}", "\0", "é",
    ];
    for at in (0..SAMPLE.len()).step_by(3) {
        let (before, after) = SAMPLE.split_at(at);
        verify(&parse(&format!("{before}{}", &after[1..])));
        for word in words {
            verify(&parse(&format!("{before}{word}{after}")));
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_read() {
    let bytes: Vec<u8> = (0..20_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for text in [&bytes[..], b"", b"\xff", b"package p\nvar \xff = \"\xff\" // \xff", b"\xef\xbb", b"package \xe4\xb8"]
    {
        verify(&parse(text));
    }
}

#[test]
fn deep_nesting_is_reported_and_not_followed() {
    let openings = [
        "(",
        "[",
        "{",
        "f(",
        "a[",
        "[]int{",
        "{{",
        "func() {",
        "-",
        "*",
        "<-",
        "&",
        "if x {",
        "for {",
        "switch { case x: ",
        "struct{ a ",
        "[]",
        "map[",
        "chan ",
        "func(",
        "interface{ ",
        "interface{ m(",
        "L: ",
        "x.(",
        "(*",
        "T[",
        "go func() {",
        "func() (",
        "else ",
        "~",
        "struct{ *(",
        "struct{ (",
        "if x {} else if ",
        "[...]",
        "(<-chan ",
        "x = func(a, b ",
        "var (a = ",
        "type T[P ",
    ];
    for opening in openings {
        for prefix in
            ["package p\nvar _ = ", "package p\nvar _ ", "package p\ntype T ", "package p\nfunc f() {\n", "package p\n"]
        {
            let text = format!("{prefix}{}", opening.repeat(10_000));
            verify(&parse(&format!("{text}\nfunc after() {{}}\n")));
        }
    }
    let text = format!("package p\nvar x = {}1{}\nvar y = 2\nfunc f() {{}}\n", "(".repeat(10_000), ")".repeat(10_000));
    let file = parse(&text);
    assert_eq!(file.errors.iter().map(|error| error.to_string()).collect::<Vec<_>>(), ["nested too deep"]);
    assert_eq!(file[file.decls].len(), 3);
}

#[test]
fn nesting_up_to_the_bound_is_fine() {
    let text = format!("package p\nvar x = {}1{}\n", "(".repeat(900), ")".repeat(900));
    assert_eq!(parse(&text).errors, []);
}

#[test]
fn chains_may_be_long() {
    let n = 100_000;
    let chains = [
        format!("_ = 1{}", " + 1".repeat(n)),
        format!("_ = x{}", ".f()".repeat(n)),
        format!("_ = \"\"{}", " +\n\"a\"".repeat(n)),
        format!("_ = []int{{{}}}", "1, ".repeat(n)),
        format!("if x {{}}{}", " else if x {}".repeat(n)),
        format!("switch {{ {} }}", "case x: ".repeat(n)),
        "x()\n".repeat(n),
        format!("type T [1{}]int", " | 1".repeat(n)),
        format!("type T [P *C{}, Q any] int", " | C".repeat(n)),
        format!("type T interface {{ A{} }}", " | A".repeat(n)),
        format!("_ = a{}", "[i]".repeat(n)),
    ];
    for chain in chains {
        let text = format!("package p\nfunc f() {{\n{chain}\n}}\n");
        let file = parse(&text);
        let start: String = chain.chars().take(30).collect();
        assert_eq!(file.errors, [], "{start}");
        assert!(file.nodes().count() > n, "{start}");
        verify(&file);
    }
}

#[test]
fn work_grows_linearly_with_errors() {
    let n = 50_000;
    let texts = [
        "f(",
        "x y ",
        "func (",
        "func f(",
        "if ",
        "type T ",
        "} ",
        "{ ",
        "case ",
        "(((",
        "a[",
        "\n)",
        "func\n",
        "func (a) ",
        "\nfunc (a) x",
        "`",
        "//",
        "/*",
        "func(){}; ",
        "func x ",
        "import ",
    ];
    for text in texts {
        let text = format!("package p\nfunc f() {{\n{}", text.repeat(n));
        let before = std::time::Instant::now();
        verify(&parse(&text));
        // Quadratic work would take minutes.
        assert!(before.elapsed().as_secs() < 20, "{}", &text[20..30]);
    }
}

#[test]
fn files_can_be_sent_and_shared() {
    fn is_sent_and_shared<T: Send + Sync>(_: &T) {}
    is_sent_and_shared(&parse(SAMPLE));
}

#[test]
fn comments_are_found_beside_what_they_are_about() {
    let text = "package p\n\n// far\n\n// one\n// two\nfunc f() {\n\tx() // why\n\t/* a */ y() /* b */ /* c */\n\tz()\n}\n\nvar v int // v\n// w\nvar w int\n";
    let file = parse(text);
    assert_eq!(file.errors, []);
    let texts = |spans: &[Span]| {
        spans.iter().map(|&span| str::from_utf8(file.text_of(span)).unwrap_or("?")).collect::<Vec<_>>()
    };
    let offset = |word: &str| text.find(word).expect(word) as u32;
    assert_eq!(texts(file.comments_above(offset("func f"))), ["// one", "// two"]);
    assert_eq!(texts(file.comments_above(offset("x()"))), [""; 0]);
    assert_eq!(texts(file.comments_above(offset("var w"))), ["// w"]);
    let behind = |word: &str| file.comment_behind(offset(word)).map(|span| texts(&[span])[0]);
    assert_eq!((behind("x()"), behind("y()"), behind("z()")), (Some("// why"), Some("/* c */"), None));
    assert_eq!((behind("var v"), behind("var w")), (Some("// v"), None));
    assert_eq!(file.comments.len(), 9);
}

#[test]
fn nodes_can_be_looked_up() {
    let file = parse("package p\n\nfunc f() { x.y(z...) }\n");
    assert_eq!(file.name(file.package), "p");
    let DeclKind::Func(function) = file[file[file.decls][0]].kind else { panic!("no function") };
    let StmtKind::Expr(call) = file[file[file[function.body.expect("a body")].stmts][0]].kind else {
        panic!("no call")
    };
    let ExprKind::Call { callee, open, arguments, spread } = file[call].kind else { panic!("no call") };
    assert_eq!((file.text_of(file[callee].span), open, spread), (&b"x.y"[..], 25, true));
    assert_eq!(file[arguments].iter().map(|&argument| file.text_of(file[argument].span)).collect::<Vec<_>>(), [b"z"]);
    assert!(file.descendants(Node::Expr(call)).any(|node| matches!(node, Node::Name(name) if file.name(name) == "y")));
}
