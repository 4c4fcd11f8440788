//! Each production: what tree a text gives.

use crate::shape::{of_declarations, of_expression, of_statements, of_type};

#[track_caller]
fn check<const N: usize>(shape_of: impl Fn(&str) -> String, cases: [(&str, &str); N]) {
    for (text, shape) in cases {
        assert_eq!(shape_of(text), shape, "{text}");
    }
}

#[test]
fn types() {
    check(
        of_type,
        [
            ("T", "T"),
            ("p.T", "(. p T)"),
            ("(T)", "(paren T)"),
            ("*T", "(* T)"),
            ("[]T", "([] T)"),
            ("[2*n]T", "(array (* 2 n) T)"),
            ("[...]T", "([...] T)"),
            ("map[K][]V", "(map K ([] V))"),
            ("T[int, p.U[V],]", "(index T int (index (. p U) V))"),
            ("struct{}", "(struct)"),
            ("interface{}", "(interface)"),
            ("func()", "(functype (signature (list)))"),
        ],
    );
}

#[test]
fn channel_types() {
    check(
        of_type,
        [
            ("chan T", "(chan T)"),
            ("chan<- T", "(chan<- T)"),
            ("<-chan T", "(<-chan T)"),
            ("chan<- chan T", "(chan<- (chan T))"),
            ("chan (<-chan T)", "(chan (paren (<-chan T)))"),
            ("chan<- <-chan T", "(chan<- (<-chan T))"),
        ],
    );
    check(
        of_expression,
        [
            ("(<-chan T)(x)", "(call (paren (<-chan T)) x)"),
            ("(<-chan<- chan T)(x)", "(call (paren (<-chan (<-chan T))) x)"),
            ("<-chan T(x)", "(<- (call (chan T) x))"),
            ("<-<-c", "(<- (<- c))"),
        ],
    );
}

#[test]
fn struct_types() {
    check(
        of_type,
        [
            ("struct{ a, b int; c T `tag` }", "(struct (field a b int) (field c T `tag`))"),
            (
                "struct{ T; *p.U; V[W]; X[A, B] \"tag\" }",
                "(struct (field T) (field (* (. p U))) (field (index V W)) (field (index X A B) \"tag\"))",
            ),
            (
                "struct{ a [n]T; b []T; p.Q[R] }",
                "(struct (field a (array n T)) (field b ([] T)) (field (index (. p Q) R)))",
            ),
            (
                "struct{\n\tf func(int) error // why\n\tmu sync.Mutex\n}",
                "(struct (field f (functype (signature (list (field int)) (list (field error))))) (field mu (. sync Mutex)))",
            ),
        ],
    );
}

#[test]
fn interface_types() {
    check(
        of_type,
        [
            (
                "interface{ M(int) error; p.I; J[T] }",
                "(interface (method M (signature (list (field int)) (list (field error)))) (embedded (. p I)) (embedded (index J T)))",
            ),
            ("interface{ ~int | ~[]byte | p.T }", "(interface (embedded (| (| (~ int) (~ ([] byte))) (. p T))))"),
            ("interface{ *T; []U | V }", "(interface (embedded (* T)) (embedded (| ([] U) V)))"),
            (
                "interface{ K[A, B] | L; ~map[K]V }",
                "(interface (embedded (| (index K A B) L)) (embedded (~ (map K V))))",
            ),
        ],
    );
}

#[test]
fn parameters_and_results() {
    check(
        of_type,
        [
            ("func(int, p.T, []U)", "(functype (signature (list (field int) (field (. p T)) (field ([] U)))))"),
            ("func(a, b int, c ...string)", "(functype (signature (list (field a b int) (field c (... string)))))"),
            (
                "func(...int) (n int, err error)",
                "(functype (signature (list (field (... int))) (list (field n int) (field err error))))",
            ),
            (
                "func(a [n]T, b []T, c M[K])",
                "(functype (signature (list (field a (array n T)) (field b ([] T)) (field c (index M K)))))",
            ),
            ("func(M[K], N[A, B])", "(functype (signature (list (field (index M K)) (field (index N A B)))))"),
            (
                "func(func(x int)) (func(), error)",
                "(functype (signature (list (field (functype (signature (list (field x int)))))) (list (field (functype (signature (list)))) (field error))))",
            ),
            (
                "func(a int, b int,) *T",
                "(functype (signature (list (field a int) (field b int)) (list (field (* T)))))",
            ),
        ],
    );
}

#[test]
fn operands_and_their_suffixes() {
    check(
        of_expression,
        [
            ("a.b.c", "(. (. a b) c)"),
            ("f(x, g(y)...)", "(call... f x (call g y))"),
            ("f(\n\ta,\n\tb,\n)", "(call f a b)"),
            ("a[i][j]", "(index (index a i) j)"),
            ("f[int, []T](x)", "(call (index f int ([] T)) x)"),
            ("a[:]", "(slice[::] a)"),
            ("a[i:]", "(slice[x::] a i)"),
            ("a[:j:k]", "(slice[:x:x] a j k)"),
            ("x.(T).y", "(. (assert x T) y)"),
            ("[]byte(s)", "(call ([] byte) s)"),
            ("(*T).M", "(. (paren (* T)) M)"),
            ("make(chan int, 1)", "(call make (chan int) 1)"),
            ("new(1 + 2)", "(call new (+ 1 2))"),
            ("min(max(a, b), 3)", "(call min (call max a b) 3)"),
            ("func() int { return 1 }()", "(call (closure (signature (list) (list (field int))) (block (return 1))))"),
            ("func(int) (x)", "(functype (signature (list (field int)) (list (field x))))"),
        ],
    );
}

#[test]
fn operators() {
    check(
        of_expression,
        [
            ("a || b && c == d + e*f", "(|| a (&& b (== c (+ d (* e f)))))"),
            ("a - b - c", "(- (- a b) c)"),
            ("a << 1 | b &^ c ^ d", "(^ (| (<< a 1) (&^ b c)) d)"),
            ("-x * +y", "(* (- x) (+ y))"),
            ("!<-c && ^a != &b", "(&& (! (<- c)) (!= (^ a) (& b)))"),
            ("*p * *q", "(* (* p) (* q))"),
            ("(a + b) % c", "(% (paren (+ a b)) c)"),
        ],
    );
}

#[test]
fn composite_literals() {
    check(
        of_expression,
        [
            ("T{}", "(literal T)"),
            ("&p.T{a: 1, b: x}", "(& (literal (. p T) (: a 1) (: b x)))"),
            ("[]T{{1, 2}, 5: {3}}", "(literal ([] T) (literal 1 2) (: 5 (literal 3)))"),
            ("map[K]V{{1}: {2},\n}", "(literal (map K V) (: (literal 1) (literal 2)))"),
            ("[...]string{2: `a`}", "(literal ([...] string) (: 2 `a`))"),
            ("G[int]{x: 1}", "(literal (index G int) (: x 1))"),
            ("struct{ a int }{1}", "(literal (struct (field a int)) 1)"),
        ],
    );
}

#[test]
fn a_brace_in_a_header_begins_the_body() {
    check(
        of_statements,
        [
            ("if x == y {}", "(if (arm (== x y) (block)))"),
            ("if x == (T{1}) {}", "(if (arm (== x (paren (literal T 1))) (block)))"),
            ("for range []int{1} {}", "(range (literal ([] int) 1) (block))"),
            ("switch f(T{}) {}", "(switch (call f (literal T)))"),
            (
                "if f := func() { x = T{} }; f != nil {}",
                "(if (arm (:= f (closure (signature (list)) (block (= x (literal T))))) (!= f nil) (block)))",
            ),
            ("for x := a[T{}]; ; {}", "(for (:= x (index a (literal T))) (block))"),
        ],
    );
}

#[test]
fn simple_statements() {
    check(
        of_statements,
        [
            ("f()", "(do (call f))"),
            ("<-c", "(do (<- c))"),
            ("c <- x + 1", "(send c (+ x 1))"),
            ("x++; p.y--", "(++ x) (-- (. p y))"),
            ("a, b = b, a", "(= a b b a)"),
            ("x, err := f()", "(:= x err (call f))"),
            ("x += 1; y &^= z; z <<= 2", "(+= x 1) (&^= y z) (<<= z 2)"),
            (";;", "(empty) (empty)"),
        ],
    );
}

#[test]
fn go_defer_and_branches() {
    check(
        of_statements,
        [
            ("go f(x)", "(go (call f x))"),
            ("defer func() { recover() }()", "(defer (call (closure (signature (list)) (block (do (call recover))))))"),
            ("return", "(return)"),
            ("return a, f()", "(return a (call f))"),
            ("break; continue\nfallthrough", "(break) (continue) (fallthrough)"),
            ("break L; continue L; goto L", "(break L) (continue L) (goto L)"),
            ("L: for { break L }", "(label L (for (block (break L))))"),
            ("a: b: x()\nc:", "(label a (label b (do (call x)))) (label c (empty))"),
            ("{ x() }", "((block (do (call x))))"),
        ],
    );
}

#[test]
fn if_and_for() {
    check(
        of_statements,
        [
            (
                "if x := f(); x {} else if y {} else { z() }",
                "(if (arm (:= x (call f)) x (block)) (arm y (block)) (block (do (call z))))",
            ),
            ("for {}", "(for (block))"),
            ("for x < 1 {}", "(for (< x 1) (block))"),
            ("for i := 0; i < n; i++ {}", "(for (:= i 0) (< i n) (++ i) (block))"),
            ("for ;; {}", "(for (block))"),
            ("for range 10 {}", "(range 10 (block))"),
            ("for i := range n {}", "(range:= i n (block))"),
            ("for k, v = range m {}", "(range k v m (block))"),
            (
                "for x := range func(yield func(int) bool) {} {}",
                "(range:= x (closure (signature (list (field yield (functype (signature (list (field int)) (list (field bool))))))) (block)) (block))",
            ),
        ],
    );
}

#[test]
fn switch_and_select() {
    check(
        of_statements,
        [
            ("switch {}", "(switch)"),
            (
                "switch x := f(); x { case 1, 2: a(); b()\ndefault:\n}",
                "(switch (:= x (call f)) x (case 1 2 (do (call a)) (do (call b))) (default))",
            ),
            ("switch ; {}", "(switch)"),
            ("switch x.(type) { case nil, *T: }", "(typeswitch (type? x) (case nil (* T)))"),
            (
                "switch i := 1; v := x.(type) { default: v() }",
                "(typeswitch (:= i 1) v (type? x) (default (do (call v))))",
            ),
            ("select {}", "(select)"),
            (
                "select { case v, ok := <-c: x(); case c <- 1: case <-d: case e = <-d: default: }",
                "(select (comm (:= v ok (<- c)) (do (call x))) (comm (send c 1)) (comm (do (<- d))) (comm (= e (<- d))) (default))",
            ),
        ],
    );
}

#[test]
fn declarations() {
    check(
        of_declarations,
        [
            ("import \"fmt\"", "(import (spec \"fmt\"))"),
            (
                "import (\n\t. \"a\"\n\t_ \"b\"\n\tc \"d/c\"\n)",
                "(import (spec . \"a\") (spec _ \"b\") (spec c \"d/c\"))",
            ),
            ("const a, b = 1, 2", "(const (spec a b 1 2))"),
            ("const (\n\tx T = iota\n\ty\n)", "(const (spec x T iota) (spec y))"),
            ("var a, b int; var c = f()", "(var (spec a b int)) (var (spec c (call f)))"),
            ("var ( x int; y *T = nil )", "(var (spec x int) (spec y (* T) nil))"),
            ("var ()", "(var)"),
            ("type T int; type A = p.B", "(type (def T int)) (type (alias A (. p B)))"),
            ("type ( T struct{}; U []T )", "(type (def T (struct)) (def U ([] T)))"),
        ],
    );
    check(
        of_statements,
        [("const a = 1; type T int; var x T", "((const (spec a 1))) ((type (def T int))) ((var (spec x T)))")],
    );
}

#[test]
fn functions_and_methods() {
    check(
        of_declarations,
        [
            ("func f()", "(func f (signature (list)))"),
            (
                "func (r *T[K]) m(x int) {}",
                "(method (list (field r (* (index T K)))) m (signature (list (field x int))) (block))",
            ),
            (
                "func (T) m() (a, b int) { return }",
                "(method (list (field T)) m (signature (list) (list (field a b int))) (block (return)))",
            ),
            (
                "func f[K comparable, V any](m map[K]V) {}",
                "(func f (signature (list (field K comparable) (field V any)) (list (field m (map K V)))) (block))",
            ),
            (
                "func (s Set[T]) Map[U any](f func(T) U) Set[U]",
                "(method (list (field s (index Set T))) Map (signature (list (field U any)) (list (field f (functype (signature (list (field T)) (list (field U)))))) (list (field (index Set U)))))",
            ),
        ],
    );
}

#[test]
fn type_parameters_and_arrays_are_told_apart() {
    check(
        of_declarations,
        [
            ("type T[P any] []P", "(type (def T (list (field P any)) ([] P)))"),
            (
                "type T[P, Q any, R interface{ M() }] struct{}",
                "(type (def T (list (field P Q any) (field R (interface (method M (signature (list)))))) (struct)))",
            ),
            ("type T[P ~int | ~string] P", "(type (def T (list (field P (| (~ int) (~ string)))) P))"),
            ("type A[P any] = []P", "(type (alias A (list (field P any)) ([] P)))"),
            ("type T[P *C,] int", "(type (def T (list (field P (* C))) int))"),
            ("type T[P *[]int] int", "(type (def T (list (field P (* ([] int)))) int))"),
            ("type T[P (C), Q any] int", "(type (def T (list (field P (paren C)) (field Q any)) int))"),
            ("type T[P *C|Q|~R] int", "(type (def T (list (field P (| (| (* C) Q) (~ R)))) int))"),
            ("type T[P []int] int", "(type (def T (list (field P ([] int))) int))"),
            (
                "type T[P interface{ *E }, E any] int",
                "(type (def T (list (field P (interface (embedded (* E)))) (field E any)) int))",
            ),
            ("type T[n]int", "(type (def T (array n int)))"),
            ("type T[n * m]int", "(type (def T (array (* n m) int)))"),
            ("type T[f(x)]int", "(type (def T (array (call f x) int)))"),
            (
                "type T[2]int; type U[]int; type V[...]int",
                "(type (def T (array 2 int))) (type (def U ([] int))) (type (def V ([...] int)))",
            ),
        ],
    );
}

#[test]
fn predeclared_names_are_no_keywords() {
    check(
        of_statements,
        [
            ("any, nil, true := min, max, clear", "(:= any nil true min max clear)"),
            ("int := new(string); len(int)", "(:= int (call new string)) (do (call len int))"),
        ],
    );
}

#[test]
fn line_ends_stand_for_semicolons() {
    check(
        of_statements,
        [
            ("x\ny()", "(do x) (do (call y))"),
            ("x.\ny()", "(do (call (. x y)))"),
            ("x := a +\n\tb", "(:= x (+ a b))"),
            ("return // no value\nx()", "(return) (do (call x))"),
            ("return /* one line */ x", "(return x)"),
            ("return /* two\nlines */ x()", "(return) (do (call x))"),
            ("x++\n+y", "(++ x) (do (+ y))"),
            ("f() /* a */ // b\ng()", "(do (call f)) (do (call g))"),
        ],
    );
}

#[test]
fn literals() {
    let literals = [
        "0",
        "42",
        "0600",
        "0o17",
        "0b1_0",
        "0xBad_Face",
        "0_7",
        "1_000",
        "0.",
        ".5",
        "1e3",
        "072.40",
        "0x1p-2",
        "0X.8P1",
        "0x1_2.3p4",
        "6.67428e-11",
        "1_5.",
        "0i",
        "0123i",
        "0o123i",
        "0xabci",
        "1.e+0i",
        "089i",
        "08.5",
        "'a'",
        "'世'",
        "'\\''",
        "'\\n'",
        "'\\x41'",
        "'\\101'",
        "'\\u12e4'",
        "'\\U00101234'",
        "\"\"",
        "\"a\\\"b\\xff\"",
        "`a\\`",
        "`two\nlines`",
        "'\"'",
        "\"'\"",
    ];
    for literal in literals {
        assert_eq!(of_expression(literal), literal);
    }
}

#[test]
fn names() {
    for name in ["_", "a1", "αβ", "世界", "ThisIsExported", "_x9", "x٣"] {
        assert_eq!(of_expression(name), name);
    }
}
