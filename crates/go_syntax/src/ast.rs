//! The syntax tree: plain, `Copy` nodes that refer to each other by index.

use crate::arena::{Id, List};

/// A half-open range of byte offsets in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset just past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from two offsets.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// True when `other` lies inside this span.
    pub const fn contains(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// The span as a range, to cut the text with.
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// True if there is nothing in it: what was expected there is missing.
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// An expression or a type.
pub type ExprId = Id<Expr>;
/// A statement.
pub type StmtId = Id<Stmt>;
/// A declaration.
pub type DeclId = Id<Decl>;
/// A statement block.
pub type BlockId = Id<Block>;
/// The signature of a function.
pub type SignatureId = Id<Signature>;

/// A name where it is declared, selected or used as a label. An empty span stands for a name that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ident {
    /// Where it stands; its text is what the span covers.
    pub span: Span,
}

/// An expression or a type: the grammar cannot tell them apart everywhere (`T(x)`, `a[b]`, `*p`, `(x)`).
#[derive(Clone, Copy, Debug)]
pub struct Expr {
    /// From its first to its last token.
    pub span: Span,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
///
/// Nesting is bounded, but for what stands leftmost: chains such as `a + b + c` or `a.b().c` may be as long as the
/// text. Go down `left`, `operand` and `callee` in a loop, not by recursion.
#[derive(Clone, Copy, Debug)]
pub enum ExprKind {
    /// What could not be parsed.
    Bad,
    /// A name; its text is what the span covers.
    Ident,
    /// A literal; its text is what the span covers.
    Literal(LiteralKind),
    /// `T{…}`, or `{…}` inside another composite literal.
    Composite {
        /// The type, where it is written.
        ty: Option<ExprId>,
        /// The elements, [`ExprKind::KeyValue`] among them.
        elements: List<ExprId>,
    },
    /// `key: value` in a composite literal.
    KeyValue {
        /// The key: a field's name, an index, a map's key.
        key: ExprId,
        /// The value.
        value: ExprId,
    },
    /// `func(…) … {…}`.
    Func {
        /// Parameters and results.
        signature: SignatureId,
        /// The body.
        body: BlockId,
    },
    /// `(x)`.
    Paren(ExprId),
    /// `x.name`: a field, a method, or a package's member.
    Selector {
        /// What stands before the dot.
        operand: ExprId,
        /// What stands after it.
        name: Ident,
    },
    /// `x[i]`, or the instantiation `x[T, U]`. At least one index.
    Index {
        /// What is indexed or instantiated.
        operand: ExprId,
        /// The index or the type arguments.
        indices: List<ExprId>,
    },
    /// `x[low:high:max]`.
    Slice {
        /// What is sliced.
        operand: ExprId,
        /// The first bound.
        low: Option<ExprId>,
        /// The second bound.
        high: Option<ExprId>,
        /// The bound of the capacity.
        max: Option<ExprId>,
    },
    /// `x.(T)`; without a type `x.(type)`, as in a type switch.
    TypeAssertion {
        /// The interface value.
        operand: ExprId,
        /// The type asserted.
        ty: Option<ExprId>,
    },
    /// `f(…)`: a call, a conversion or a built-in.
    Call {
        /// What is called, or converted to.
        callee: ExprId,
        /// Where the opening parenthesis stands.
        open: u32,
        /// The arguments; types among them for built-ins.
        arguments: List<ExprId>,
        /// True if the last argument is followed by `...`.
        spread: bool,
    },
    /// `*x`: what a pointer points to, or a pointer type.
    Star(ExprId),
    /// A unary expression; with [`UnaryOp::Receive`] a receive operation.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// The operand.
        operand: ExprId,
    },
    /// A binary expression; with [`BinaryOp::Or`] also a union of types in a constraint.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Where the operator stands.
        at: u32,
        /// The left operand.
        left: ExprId,
        /// The right operand.
        right: ExprId,
    },
    /// `[]T`.
    SliceType {
        /// The type of the elements.
        element: ExprId,
    },
    /// `[n]T`; without a length `[...]T`.
    ArrayType {
        /// The length.
        length: Option<ExprId>,
        /// The type of the elements.
        element: ExprId,
    },
    /// `struct {…}`.
    StructType(List<Field>),
    /// `func(…) …` as a type.
    FuncType(SignatureId),
    /// `interface {…}`.
    InterfaceType(List<InterfaceElement>),
    /// `map[K]V`.
    MapType {
        /// The type of the keys.
        key: ExprId,
        /// The type of the values.
        value: ExprId,
    },
    /// `chan T`, `chan<- T`, `<-chan T`.
    ChanType {
        /// What may be done with it.
        direction: ChanDirection,
        /// Where the arrow stands; for a channel without one, where the type does.
        arrow: u32,
        /// The type of the elements.
        element: ExprId,
    },
    /// `...T`: the type of a final parameter.
    Variadic(ExprId),
}

/// What a literal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiteralKind {
    /// `42`, `0x2a`, `0b10_1010`.
    Int,
    /// `4.2`, `0x1p-2`.
    Float,
    /// `42i`.
    Imaginary,
    /// `'x'`.
    Rune,
    /// `"text"` or a raw string; [`string_value`](crate::string_value) gives its value.
    String,
}

/// The direction of a channel type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChanDirection {
    /// `chan T`.
    Both,
    /// `chan<- T`.
    Send,
    /// `<-chan T`.
    Receive,
}

/// A unary operator, `*` aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `+x`
    Plus,
    /// `-x`
    Minus,
    /// `!x`
    Not,
    /// `^x`
    Xor,
    /// `&x`
    Address,
    /// `~T`, in a constraint.
    Tilde,
    /// `<-x`
    Receive,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    OrOr,
    AndAnd,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Sub,
    Or,
    Xor,
    Mul,
    Div,
    Rem,
    Shl,
    Shr,
    And,
    AndNot,
}

/// A field of a struct, or parameters of one type.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// From the first name to the type or the tag.
    pub span: Span,
    /// The names; none for an embedded field or a parameter without a name.
    pub names: List<Ident>,
    /// The type.
    pub ty: ExprId,
    /// The tag of a struct's field: a string literal.
    pub tag: Option<ExprId>,
}

/// A parameter list, with its brackets where there are any.
#[derive(Clone, Copy, Debug)]
pub struct FieldList {
    /// With the brackets; empty for a list that isn't written.
    pub span: Span,
    /// The parameters, those of one type together.
    pub fields: List<Field>,
}

/// Type parameters, parameters and results.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    /// From `func`, or of an interface's method from its parameters, to the last result. What stands between `func` and
    /// the parameters of a function's declaration lies within.
    pub span: Span,
    /// The type parameters; only declared functions and methods have any.
    pub type_params: FieldList,
    /// The parameters.
    pub params: FieldList,
    /// The results.
    pub results: FieldList,
}

/// An element of an interface type.
#[derive(Clone, Copy, Debug)]
pub struct InterfaceElement {
    /// From its first to its last token.
    pub span: Span,
    /// What it is.
    pub kind: InterfaceElementKind,
}

/// What an element of an interface type is.
#[derive(Clone, Copy, Debug)]
pub enum InterfaceElementKind {
    /// `Name(…) …`.
    Method {
        /// The method's name.
        name: Ident,
        /// Its parameters and results.
        signature: SignatureId,
    },
    /// An embedded interface, a type, or a union of types.
    Embedded(ExprId),
}

/// A statement block, with its braces.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// With the braces.
    pub span: Span,
    /// What stands in it.
    pub stmts: List<StmtId>,
}

/// A statement.
#[derive(Clone, Copy, Debug)]
pub struct Stmt {
    /// From its first to its last token, without the semicolon.
    pub span: Span,
    /// What it is.
    pub kind: StmtKind,
}

/// What a statement is.
#[derive(Clone, Copy, Debug)]
pub enum StmtKind {
    /// What could not be parsed.
    Bad,
    /// Nothing, before a semicolon or a closing brace.
    Empty,
    /// An expression: a call or a receive operation, where the program is right.
    Expr(ExprId),
    /// `channel <- value`.
    Send {
        /// The channel.
        channel: ExprId,
        /// The value.
        value: ExprId,
    },
    /// `x++` or `x--`.
    IncDec {
        /// The operand.
        operand: ExprId,
        /// True for `++`.
        increment: bool,
    },
    /// An assignment, or a short variable declaration.
    Assign {
        /// Which.
        op: AssignOp,
        /// What is assigned to.
        left: List<ExprId>,
        /// What is assigned.
        right: List<ExprId>,
    },
    /// `go f(…)`: the expression is a call.
    Go(ExprId),
    /// `defer f(…)`: the expression is a call.
    Defer(ExprId),
    /// `return …`.
    Return(List<ExprId>),
    /// `break`, `continue`, `goto` or `fallthrough`.
    Branch {
        /// Which.
        kind: BranchKind,
        /// The label, where there is one.
        label: Option<Ident>,
    },
    /// `label: statement`.
    Labeled {
        /// The label.
        label: Ident,
        /// What it labels.
        stmt: StmtId,
    },
    /// `{…}`.
    Block(BlockId),
    /// `if … {…} else if … {…} else {…}`: the whole chain. The initialiser of an arm is in scope in all later ones.
    If {
        /// The arms, at least one.
        arms: List<IfArm>,
        /// What is left when none is taken.
        otherwise: Option<BlockId>,
    },
    /// `switch init; tag {…}`.
    Switch {
        /// The statement before the semicolon.
        init: Option<StmtId>,
        /// What is compared; `true` if there is none.
        tag: Option<ExprId>,
        /// The clauses.
        clauses: List<CaseClause>,
    },
    /// `switch init; binding := x.(type) {…}`.
    TypeSwitch {
        /// The statement before the semicolon.
        init: Option<StmtId>,
        /// The name that has the value in each clause.
        binding: Option<ExprId>,
        /// `x.(type)`: an [`ExprKind::TypeAssertion`] without a type.
        guard: ExprId,
        /// The clauses; their expressions are types, or `nil`.
        clauses: List<CaseClause>,
    },
    /// `select {…}`.
    Select(List<CommClause>),
    /// `for init; condition; post {…}`.
    For {
        /// Runs once.
        init: Option<StmtId>,
        /// Looked at before each round; `true` if there is none.
        condition: Option<ExprId>,
        /// Runs after each round.
        post: Option<StmtId>,
        /// The body.
        body: BlockId,
    },
    /// `for key, value := range x {…}`.
    Range {
        /// The first iteration variable.
        key: Option<ExprId>,
        /// The second.
        value: Option<ExprId>,
        /// True for `:=`: the variables are declared here.
        define: bool,
        /// What is iterated over.
        operand: ExprId,
        /// The body.
        body: BlockId,
    },
    /// A declaration of constants, types or variables.
    Decl(DeclId),
}

/// What an assignment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignOp {
    /// `=`
    Assign,
    /// `:=`
    Define,
    /// `op=`
    With(BinaryOp),
}

/// Which branch statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BranchKind {
    Break,
    Continue,
    Goto,
    Fallthrough,
}

/// `if init; condition {…}`.
#[derive(Clone, Copy, Debug)]
pub struct IfArm {
    /// From `if` to the end of the body.
    pub span: Span,
    /// The statement before the semicolon.
    pub init: Option<StmtId>,
    /// What decides.
    pub condition: ExprId,
    /// What is done.
    pub body: BlockId,
}

/// `case …:` or `default:` of a switch, with what follows.
#[derive(Clone, Copy, Debug)]
pub struct CaseClause {
    /// From the keyword to the last statement.
    pub span: Span,
    /// True for `default`.
    pub is_default: bool,
    /// The expressions or types.
    pub exprs: List<ExprId>,
    /// What is done.
    pub body: List<StmtId>,
}

/// `case …:` or `default:` of a select, with what follows.
#[derive(Clone, Copy, Debug)]
pub struct CommClause {
    /// From the keyword to the last statement.
    pub span: Span,
    /// A send, a receive, or an assignment of what is received; none for `default`.
    pub comm: Option<StmtId>,
    /// What is done.
    pub body: List<StmtId>,
}

/// A declaration.
#[derive(Clone, Copy, Debug)]
pub struct Decl {
    /// From its keyword to its last token.
    pub span: Span,
    /// What it is.
    pub kind: DeclKind,
}

/// What a declaration is. Several in one pair of parentheses are one declaration.
#[derive(Clone, Copy, Debug)]
pub enum DeclKind {
    /// What could not be parsed.
    Bad,
    /// `import …`.
    Import(List<ImportSpec>),
    /// `const …`. The index in the list is `iota`; one without values repeats those before it.
    Const(List<ValueSpec>),
    /// `var …`.
    Var(List<ValueSpec>),
    /// `type …`.
    Type(List<TypeSpec>),
    /// `func …`.
    Func(FuncDecl),
}

/// A function or a method.
#[derive(Clone, Copy, Debug)]
pub struct FuncDecl {
    /// The receiver's list: one parameter, where the program is right. `None` for a function.
    pub receiver: Option<FieldList>,
    /// The name.
    pub name: Ident,
    /// Type parameters, parameters, results.
    pub signature: SignatureId,
    /// The body; none if it is written elsewhere, in assembly for one.
    pub body: Option<BlockId>,
}

/// One import.
#[derive(Clone, Copy, Debug)]
pub struct ImportSpec {
    /// From the name or the path to the path.
    pub span: Span,
    /// The name it is given; `.` and `_` have their meaning.
    pub name: Option<Ident>,
    /// The path: a string literal.
    pub path: ExprId,
}

/// Constants or variables declared together.
#[derive(Clone, Copy, Debug)]
pub struct ValueSpec {
    /// From the first name to the last token.
    pub span: Span,
    /// The names.
    pub names: List<Ident>,
    /// The type.
    pub ty: Option<ExprId>,
    /// The values: none, one for all names (a call with several results), or one for each.
    pub values: List<ExprId>,
}

/// A type declared.
#[derive(Clone, Copy, Debug)]
pub struct TypeSpec {
    /// From the name to the end of the type.
    pub span: Span,
    /// The name.
    pub name: Ident,
    /// The type parameters.
    pub type_params: FieldList,
    /// True for an alias, `type A = T`.
    pub is_alias: bool,
    /// The type.
    pub ty: ExprId,
}
