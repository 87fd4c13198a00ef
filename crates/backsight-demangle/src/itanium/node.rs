//! The kinds of nodes of a name's tree.

use super::id::{Id, List};

/// `const`, `volatile` and `restrict`; also of a member function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quals {
    pub(super) is_const: bool,
    pub(super) is_volatile: bool,
    pub(super) is_restrict: bool,
}

/// The `&` or `&&` of a member function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RefQual {
    #[default]
    None,
    LValue,
    RValue,
}

/// Precedence of expressions, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prec {
    Primary,
    Postfix,
    Unary,
    Cast,
    PtrMem,
    Multiplicative,
    Additive,
    Shift,
    Spaceship,
    Relational,
    Equality,
    And,
    Xor,
    Or,
    AndIf,
    OrIf,
    Conditional,
    Assign,
    Comma,
    /// Lower than any other.
    Default,
}

/// The names of the standard library that have a substitution of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Std {
    Allocator,
    BasicString,
    String,
    Istream,
    Ostream,
    Iostream,
}

/// What a template parameter without a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParamKind {
    Type,
    NonType,
    Template,
}

/// A node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    /// Literal text.
    Text(&'a str),
    /// `text` before a child, without affecting precedence: `vtable for X`, `operator T`.
    Prefixed {
        text: &'static str,
        child: Id,
    },
    /// A child followed by `text`: `T complex`, `C auto`.
    Suffixed {
        child: Id,
        text: &'static str,
    },
    /// `prefix(child)`: `decltype(e)`, `sizeof (e)`, `__underlying_type(T)`.
    Enclosed {
        prefix: &'a str,
        child: Id,
        prec: Prec,
    },

    // Names.
    /// `left`, `by`, `right`; the last one gives the name of constructors.
    Joined {
        left: Id,
        by: &'static str,
        right: Id,
    },
    /// `name@module`.
    OfModule {
        name: Id,
        module: Id,
    },
    /// `parent.name`, or `parent:name` of a partition.
    Module {
        parent: Option<Id>,
        name: Id,
        is_partition: bool,
    },
    /// `::name`.
    Global(Id),
    /// `name[abi:tag]`.
    Tagged {
        name: Id,
        tag: &'a str,
    },
    /// `name<…>`.
    Templated {
        name: Id,
        args: Id,
    },
    /// `<a, b>`.
    Args(List),
    /// `a, b`: the elements of a parameter pack.
    ArgPack(List),
    /// The same as a parameter: its value depends on the enclosing expansion.
    Pack(List),
    /// `child...`, or the child repeated for each element of its packs.
    Expansion(Id),
    /// A template argument that comes later in the name.
    Forward(Option<Id>),
    /// `std::string` and the like; expanded if a constructor is named after it.
    Std {
        of: Std,
        is_expanded: bool,
    },
    /// `Name` or `~Name` of a class.
    CtorDtor {
        class: Id,
        is_dtor: bool,
    },
    /// `~T` of a dependent type.
    DtorOf(Id),
    /// `'unnamed1'`.
    Unnamed {
        count: &'a str,
    },
    /// `'lambda1'<typename $T>(int)`.
    Closure {
        params: Id,
        count: &'a str,
    },
    /// What follows the word `lambda`.
    ClosureParams {
        templates: List,
        before: Option<Id>,
        params: List,
        after: Option<Id>,
    },
    /// `[a, b]`.
    Binding(List),

    // Functions and types.
    /// A function with its parameters.
    Encoding {
        returns: Option<Id>,
        name: Id,
        params: List,
        attributes: Option<Id>,
        requires: Option<Id>,
        quals: Quals,
        ref_qual: RefQual,
    },
    /// ` [enable_if:a, b]`.
    EnableIf(List),
    Qualified {
        child: Id,
        quals: Quals,
    },
    /// `T ext<args>`.
    Vendor {
        child: Id,
        ext: &'a str,
        args: Option<Id>,
    },
    /// `T<protocol>`.
    ObjcProtocol {
        child: Id,
        protocol: &'a str,
    },
    Pointer(Id),
    Reference {
        child: Id,
        is_rvalue: bool,
    },
    MemberPointer {
        class: Id,
        child: Id,
    },
    Array {
        child: Id,
        length: Option<Id>,
    },
    Function {
        returns: Id,
        params: List,
        quals: Quals,
        ref_qual: RefQual,
        exceptions: Option<Id>,
    },
    /// `T vector[n]`.
    Vector {
        child: Id,
        length: Option<Id>,
    },

    // Declarations of template parameters.
    /// `$T`, `$N1`.
    Invented {
        kind: ParamKind,
        index: u32,
    },
    /// `typename $T`, or `Concept $T`.
    TypeParam {
        constraint: Option<Id>,
        name: Id,
    },
    NonTypeParam {
        name: Id,
        of: Id,
    },
    TemplateParam {
        name: Id,
        params: List,
        requires: Option<Id>,
    },
    PackParam(Id),
    /// An argument preceded by the declaration of its parameter, which is not shown.
    Declared {
        arg: Id,
    },

    // Expressions.
    Binary {
        left: Id,
        op: &'static str,
        right: Id,
        prec: Prec,
    },
    PrefixOp {
        op: &'static str,
        child: Id,
        prec: Prec,
    },
    PostfixOp {
        child: Id,
        op: &'static str,
        prec: Prec,
    },
    /// `a.b`, `a->b`, `a.*b`.
    Access {
        left: Id,
        op: &'static str,
        right: Id,
        prec: Prec,
    },
    Subscript {
        array: Id,
        index: Id,
    },
    Conditional {
        condition: Id,
        then: Id,
        other: Id,
    },
    /// `static_cast<T>(e)`.
    NamedCast {
        op: &'static str,
        to: Id,
        from: Id,
    },
    /// `(T)(a, b)`.
    Cast {
        to: Id,
        from: List,
    },
    Call {
        callee: Id,
        args: List,
    },
    New {
        placement: List,
        of: Id,
        init: List,
        is_global: bool,
        is_array: bool,
    },
    Delete {
        child: Id,
        is_global: bool,
        is_array: bool,
    },
    /// `T{a, b}`.
    InitList {
        of: Option<Id>,
        init: List,
    },
    /// `.a = b`, `[a] = b`.
    Designated {
        at: Id,
        init: Id,
        is_array: bool,
    },
    /// `[a ... b] = c`.
    DesignatedRange {
        first: Id,
        last: Id,
        init: Id,
    },
    Fold {
        is_left: bool,
        op: &'static str,
        pack: Id,
        init: Option<Id>,
    },
    /// `e.<T at offset n>`.
    Subobject {
        of: Id,
        child: Id,
        offset: &'a str,
    },
    /// `"<T>"`.
    StringLiteral(Id),
    /// `[](int){...}`.
    Lambda(Id),
    /// `(T)n`.
    EnumLiteral {
        of: Id,
        value: &'a str,
    },
    /// `n` with a suffix, or `(T)n`.
    Integer {
        of: &'static str,
        value: &'a str,
    },
    /// The bytes in hexadecimal, most significant first.
    Float {
        digits: &'a str,
        width: FloatFormat,
    },
    Requires {
        params: List,
        requirements: List,
    },
    /// ` {e} noexcept -> C;`
    ExprRequirement {
        child: Id,
        is_noexcept: bool,
        constraint: Option<Id>,
    },
    /// ` typename T;`, ` requires e;`
    Requirement {
        text: &'static str,
        child: Id,
    },
}

/// The formats of floating-point literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FloatFormat {
    Float,
    Double,
    /// The 80-bit format of x87.
    Extended,
    /// The 128-bit format of IEEE 754.
    Quad,
}
