//! What is rejected, where the error is, and what is still there after it.

use crate::shape::shape;
use racewalk_go_syntax::{DeclId, DeclKind, File, Node, StmtKind, parse};

/// The first error, with `^` put where it is.
fn first_error(text: &str) -> (String, String) {
    let file = parse(text);
    let error = file.errors.first().unwrap_or_else(|| panic!("accepted: {text}"));
    let (before, after) = text.split_at(error.offset as usize);
    (format!("{before}^{after}"), error.message.to_string())
}

#[track_caller]
fn rejects<const N: usize>(prefix: &str, suffix: &str, cases: [(&str, &str); N]) {
    for (marked, message) in cases {
        let text = format!("{prefix}{}{suffix}", marked.replacen('^', "", 1));
        assert_eq!(first_error(&text), (format!("{prefix}{marked}{suffix}"), message.to_owned()));
    }
}

#[test]
fn in_declarations() {
    rejects(
        "",
        "",
        [
            ("^x", "expected 'package', found 'x'"),
            ("^", "expected 'package', found end of file"),
            ("package^", "expected identifier, found end of file"),
        ],
    );
    rejects(
        "package p\n",
        "\n",
        [
            ("^x := 1", "expected declaration, found 'x'"),
            ("var a int; ^;", "expected declaration, found ';'"),
            ("var x ^\nvar y int", "expected type, found newline"),
            ("var a int\n^import \"x\"", "imports must appear before other declarations"),
            ("import ^1", "import path must be a string"),
            ("func f() int ^return", "expected ';', found 'return'"),
            ("func f()^\n{}", "unexpected semicolon or newline before {"),
            ("func f[^]()", "empty type parameter list"),
            ("func f(a int, ^[]T)", "missing parameter name"),
            ("func f(a int, b^)", "missing parameter type"),
            ("func f(a ^...int, b int)", "can only use ... with final parameter"),
            ("func f() (a ^...int)", "invalid use of ..."),
            ("type T[P any, Q^] int", "missing type constraint"),
            ("type T[^P any, *Q] int", "missing type parameter name"),
            ("type T struct { ^(U) }", "cannot parenthesize embedded type"),
            ("type T struct { a int ^b int }", "expected ';', found 'b'"),
            ("type T interface { m^[P any]() }", "interface method must have no type parameters"),
            ("var f func^[T any]()", "function type must have no type parameters"),
            ("var x [a^, b]int", "unexpected comma; expecting ]"),
        ],
    );
}

#[test]
fn in_statements() {
    rejects(
        "package p\nfunc f() {\n",
        "\n}\n",
        [
            ("if ^{}", "missing condition in if statement"),
            ("if x^; {}", "missing condition in if statement"),
            ("if x^\n{}", "unexpected newline, expecting { after if clause"),
            ("if ^var x = 1; x {}", "var declaration not allowed in if initializer"),
            (
                "if ^x = y {}",
                "expected boolean expression, found assignment (missing parentheses around composite literal?)",
            ),
            ("if x {} else ^y()", "expected if statement or block, found 'y'"),
            ("if x {}\n^else {}", "expected statement, found 'else'"),
            ("for i := 0; i < 1 ^{}", "expected ';', found '{'"),
            ("for a, b, ^c := range x {}", "expected at most 2 expressions"),
            ("x := range ^y", "range clause outside the head of a for statement"),
            ("switch ^x = y.(type) {}", "expected ':=' in type switch guard, found '='"),
            (
                "switch ^x++ {}",
                "expected switch expression, found simple statement (missing parentheses around composite literal?)",
            ),
            ("select { case ^a, b, c := <-d: }", "expected 1 or 2 expressions"),
            ("go x^", "expression in go must be function call"),
            ("defer ^(f())", "expression in defer must not be parenthesized"),
            ("switch x { ^y }", "expected 'case', 'default' or '}', found 'y'"),
            ("goto ^1", "expected identifier, found '1'"),
            ("f()^: x()", "illegal label declaration"),
            ("^a, b", "expected 1 expression"),
            ("x = y ^= z", "expected ';', found '='"),
            ("^case 1:", "expected '}', found 'case'"),
        ],
    );
}

#[test]
fn in_expressions() {
    rejects(
        "package p\nvar _ = ",
        "\n",
        [
            ("f(a ^b)", "missing ',' in argument list"),
            ("f(a^\n)", "missing ',' before newline in argument list"),
            ("f(a..., ^b)", "can only use ... with final argument"),
            ("a[^]", "expected operand, found ']'"),
            ("a[1^::2]", "middle index required in 3-index slice"),
            ("a[1:2^:]", "final index required in 3-index slice"),
            ("a.^[1]", "expected selector or type assertion, found '['"),
            ("(^T){1}", "cannot parenthesize type in composite literal"),
            ("1 + ^)", "expected operand, found ')'"),
            ("(<-^<-chan int)(nil)", "expected 'chan'"),
            ("(<-chan^<- int)(nil)", "expected channel type"),
        ],
    );
}

#[test]
fn in_literals() {
    rejects(
        "package p\nvar _ = ",
        "\n",
        [
            ("0x^", "hexadecimal literal has no digits"),
            ("0b1^2", "invalid digit '2' in binary literal"),
            ("0^8", "invalid digit '8' in octal literal"),
            ("0o1^9", "invalid digit '9' in octal literal"),
            ("0b1^.0", "invalid radix point in binary literal"),
            ("1e^", "exponent has no digits"),
            ("0x1.0^", "hexadecimal mantissa requires a 'p' exponent"),
            ("0b1^e1", "'e' exponent requires decimal mantissa"),
            ("1^p1", "'p' exponent requires hexadecimal mantissa"),
            ("1_^_0", "'_' must separate successive digits"),
            ("1^_.5", "'_' must separate successive digits"),
            ("1.5^_", "'_' must separate successive digits"),
            ("^''", "illegal rune literal"),
            ("^'ab'", "illegal rune literal"),
            ("^'a", "rune literal not terminated"),
            ("'\\^q'", "unknown escape sequence"),
            ("'\\^\"'", "unknown escape sequence"),
            ("\"\\^'\"", "unknown escape sequence"),
            ("'\\^400'", "escape sequence is invalid Unicode code point"),
            ("'\\^ud800'", "escape sequence is invalid Unicode code point"),
            ("'\\^U00110000'", "escape sequence is invalid Unicode code point"),
            ("'\\x4^'", "illegal character in escape sequence"),
            ("^\"a", "string literal not terminated"),
            ("^`a", "raw string literal not terminated"),
            ("1 ^/* a", "comment not terminated"),
            ("1 ^# 2", "illegal character '#'"),
            ("1 ^\u{2028}", "illegal character '\\u{2028}'"),
            ("^“a”", "curly quotation mark '“' (use neutral '\"')"),
        ],
    );
}

#[test]
fn in_the_encoding() {
    let first = |text: &[u8]| parse(text).errors.first().map(|error| (error.offset, error.message.to_string()));
    let at = |offset: u32, message: &str| Some((offset, message.to_owned()));
    assert_eq!(first(b"\xef\xbb\xbfpackage p"), None);
    assert_eq!(first(b"package p // \xef\xbb\xbf"), at(13, "illegal byte order mark"));
    assert_eq!(first(b"package p // \0"), at(13, "illegal character NUL"));
    assert_eq!(first(b"package p // a\xffb"), at(14, "illegal UTF-8 encoding"));
    assert_eq!(first(b"package p; var s = \"\xc3\x28\""), at(20, "illegal UTF-8 encoding"));
    assert_eq!(first(b"package \xff"), at(8, "illegal UTF-8 encoding"));
    assert_eq!(first(b"\xff\xfep\0a\0"), at(0, "illegal UTF-8 encoding (got UTF-16)"));
}

#[test]
fn in_line_directives() {
    rejects(
        "package p\n",
        "\n",
        [
            ("//line a.go:^0", "invalid line number"),
            ("//line a.go:^x", "invalid line number"),
            ("//line a.go:1:^0", "invalid column number"),
            ("//line a.go:^0:1", "invalid line number"),
            ("var /*line :^9999999999*/ x int", "invalid line number"),
        ],
    );
    for fine in
        ["//line a.go:1", "//line a.go:1:2", " //line a.go:0", "//line a.go", "//line x:y:3", "var /*line a*/ x int"]
    {
        assert_eq!(parse(&format!("package p\n{fine}\n")).errors, [], "{fine}");
    }
}

/// The names of all functions declared, and the shape of all statements in them.
fn functions(file: &File<'_>) -> Vec<(String, Vec<String>)> {
    let of = |&decl: &DeclId| match file[decl].kind {
        DeclKind::Func(function) => {
            let stmts = function.body.map(|body| file[file[body].stmts].to_vec()).unwrap_or_default();
            let shapes = stmts.iter().map(|&stmt| shape(file, Node::Stmt(stmt))).collect();
            Some((file.name(function.name).to_owned(), shapes))
        }
        _ => None,
    };
    file[file.decls].iter().filter_map(of).collect()
}

#[test]
fn a_wrong_statement_hides_no_other() {
    let wrong = [
        "x := := 2",
        "f(a b c)",
        "f(a,\n",
        "x = )",
        "if x { y( }",
        "switch x { y }",
        "for i := 0; { z }",
        "else { x() }",
        "var = 1",
        "type T struct { a b c }",
        "$ @ ?",
        "func (",
        "a[1:2:]",
        "\"open",
        "'ab'",
        "L: }{",
        "defer func() { x( }()",
        "case 1:",
    ];
    for wrong in wrong {
        let text = format!("package p\nfunc f() {{\n\tbefore()\n\t{wrong}\n\tafter()\n}}\nfunc g() {{ g1(); g2() }}\n");
        let file = parse(&text);
        assert!(!file.errors.is_empty(), "{wrong}");
        let functions = functions(&file);
        let (f, g) = (functions.first().expect("f"), functions.last().expect("g"));
        assert_eq!((f.0.as_str(), f.1[0].as_str()), ("f", "(do (call before))"), "{wrong}");
        assert_eq!((g.0.as_str(), g.1.join(" ").as_str()), ("g", "(do (call g1)) (do (call g2))"), "{wrong}");
    }
}

#[test]
fn the_statement_after_a_wrong_one_is_there() {
    for wrong in [
        "x := := 2",
        "f(a b c)",
        "x = )",
        "switch x { y }",
        "select { x; case <-c: }",
        "switch x { y {} ; case 1: z() }",
        "if x { y( }",
        "else { x() }",
        "var = 1",
        "$ @ ?",
        "a[1:2:]",
        "'ab'",
        "x y z",
    ] {
        let text = format!("package p\nfunc f() {{\n\t{wrong}\n\tafter()\n}}\n");
        let file = parse(&text);
        let functions = functions(&file);
        assert_eq!(functions[0].1.last().map(String::as_str), Some("(do (call after))"), "{wrong}");
    }
}

#[test]
fn a_wrong_declaration_hides_no_other() {
    let wrong = [
        "x := 1",
        "func",
        "func (",
        "func f(",
        "func f() {",
        "func f() { if x {",
        "func f() { } }",
        "type",
        "type T struct {",
        "type T interface { M( }",
        "var x = [",
        "var (\n\ta = 1\n",
        "import \"late\"",
        "const x y z",
        "garbage { a b } c",
        "func f() { x := map[string]int{",
        "func (r *R) {",
        "type T[P",
        "$",
        "}",
        "func f() (a, ",
    ];
    for wrong in wrong {
        for next in ["func next() { ok() }", "func (r R) next() { ok() }"] {
            let text = format!("package p\n\nfunc first() {{}}\n\n{wrong}\n\n{next}\n\nvar last int\n");
            let file = parse(&text);
            assert!(!file.errors.is_empty(), "{wrong}");
            let next = functions(&file).into_iter().find(|(name, _)| name == "next");
            assert_eq!(next.expect(wrong).1, ["(do (call ok))"], "{wrong}");
            let last = file[*file[file.decls].last().expect("declarations")];
            assert!(matches!(last.kind, DeclKind::Var(_)), "{wrong}: {last:?}");
        }
    }
}

#[test]
fn declarations_after_a_missing_brace_are_there() {
    for open in [
        "func first() {",
        "func first() { if x { f(",
        "func first() { x := T{",
        "func (r R) first() { switch x { case 1:",
        "var x = func() {",
    ] {
        let text = format!(
            "package p\n\n{open}\n\nvar v int\n\ntype T int\n\nconst c = 1\n\nfunc (r R) m() {{}}\n\nfunc f() {{}}\n"
        );
        let file = parse(&text);
        assert!(!file.errors.is_empty(), "{open}");
        let texts: Vec<_> = file[file.decls][1..].iter().map(|&decl| file.text_of(file[decl].span)).collect();
        let expected: [&[u8]; 5] = [b"var v int", b"type T int", b"const c = 1", b"func (r R) m() {}", b"func f() {}"];
        assert_eq!(texts, expected, "{open}");
    }
}

#[test]
fn a_right_text_may_have_any_layout() {
    let text =
        "package p\nfunc f() {\nvar x = 1\ntype T int\nconst c = x\nfunc (x int) {\n}(x)\nfunc (x T) string (y)\n}\n";
    let file = parse(text);
    assert_eq!((file.errors.as_slice(), file[file.decls].len()), (&[][..], 1));
}

#[test]
fn a_file_without_a_package_clause_still_has_its_declarations() {
    let file = parse("func f() {}\n\nfunc g() {}\n");
    assert_eq!(file.errors.len(), 1);
    assert_eq!(functions(&file).iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["f", "g"]);
    assert_eq!(file.name(file.package), "");
}

#[test]
fn errors_are_in_order_and_one_a_place() {
    let file = parse("package p\nfunc f() { x = 'ab' + ; y( }\nvar = \"\\q\"\n");
    let offsets: Vec<u32> = file.errors.iter().map(|error| error.offset).collect();
    assert!(offsets.len() > 3 && offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    let position = file.position(offsets[0]);
    assert_eq!((position.line, position.column), (2, 16));
}

#[test]
fn a_branch_without_its_label_has_an_empty_name() {
    let file = parse("package p\nfunc f() { goto }\n");
    let DeclKind::Func(function) = file[file[file.decls][0]].kind else { panic!("no function") };
    let StmtKind::Branch { label: Some(label), .. } = file[file[file[function.body.expect("a body")].stmts][0]].kind
    else {
        panic!("no branch")
    };
    assert_eq!((file.name(label), label.span.is_empty()), ("", true));
}
