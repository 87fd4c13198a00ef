//! Names as compilers write them.

use backsight_demangle::{demangle, demangle_ada};

/// Checks pairs of a name and its demangled form.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
    for (name, want) in cases {
        assert_eq!(demangle(name, 64 << 10).as_deref(), Some(*want), "{name}");
    }
}

#[test]
fn each_scheme_is_recognized_by_its_names() {
    check(&[
        ("_ZN3foo3barEiPKc", "foo::bar(int, char const*)"),
        ("_ZN3foo3barE", "foo::bar"),
        (
            "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE",
            "core::fmt::Formatter::pad",
        ),
        ("_ZN3foo3bar17h0123456789abcdefE.llvm.1234", "foo::bar"),
        ("_RNvC6_123foo3bar", "123foo::bar"),
        ("_D3std5stdio4File5closeMFNeZv", "std.stdio.File.close()"),
        ("_Dmain", "D main"),
    ]);
    for other in [
        "main",
        "",
        "$s4main3fooyyF",
        "pkg__work__2",
        "_start",
        "_DYNAMIC",
        "_Znot",
    ] {
        assert_eq!(demangle(other, 1000), None, "{other}");
    }
}

#[test]
fn suffixes_stay_visible() {
    check(&[
        ("_Z3fooi.cold", "foo(int) [clone .cold]"),
        ("_Z3fooi.part.0", "foo(int) [clone .part.0]"),
        (
            "_Z3fooi.constprop.0.isra.1.cold",
            "foo(int) [clone .constprop.0] [clone .isra.1] [clone .cold]",
        ),
        ("_Z3fooi.llvm.123456", "foo(int) [clone .llvm.123456]"),
        ("_ZN3lib7computeEi@V1", "lib::compute(int)@V1"),
        ("_ZN3lib7computeEi@@V2", "lib::compute(int)@@V2"),
        (
            "_ZN3lib7computeEi.cold@V1",
            "lib::compute(int) [clone .cold]@V1",
        ),
        ("_RNvC6_123foo3bar@V1", "123foo::bar@V1"),
    ]);
}

// Output of LLVM's demangler, version 23.
#[test]
fn template_parameters_may_be_declared() {
    check(&[
        ("_Z3addITk3NumiET_S0_S0_", "int add<int>(int, int)"),
        ("_Z4nttpITnDaLi1EEiv", "int nttp<1>()"),
        ("_Z4nttpITnDaLDn0EEiv", "int nttp<nullptr>()"),
        ("_Z2ttITtTpTyE3FooEiv", "int tt<Foo>()"),
        (
            "_Z3mulIiET_S0_S0_Q3NumIS0_E",
            "int mul<int>(int, int) requires Num<int>",
        ),
        ("_Z1fIiQ1CIT_EEvv", "void f<int>()"),
        ("_Z3reqITk1CIT_EiEvv", "void req<int>()"),
        // The constraint refers to the argument after it: LLVM prints `T` for it.
        (
            "_ZN2CnIiE3getITk5Same2IT_EiEES3_S3_",
            "int Cn<int>::get<int>(int)",
        ),
        (
            "_Z3reqIiEiT_QrqQ1CIS0_EE",
            "int req<int>(int) requires requires { requires C<int>; }",
        ),
        (
            "_Z1fIiEvT_QrQT__XplfL0p_Li1ENR1CTS0_Q1CIS0_EE",
            "void f<int>(int) requires requires (T) { {fp + 1} noexcept -> C; typename int; requires C<int>; }",
        ),
    ]);
}

#[test]
fn names_of_types_and_scopes() {
    check(&[
        ("_ZN1a1bEPNS_1cE", "a::b(a::c*)"),
        (
            "_ZNK5outer5inner6methodEPNS_1c8DelegateE",
            "outer::inner::method(outer::c::Delegate*) const",
        ),
        ("_ZSt4swapIiEvRT_S1_", "void std::swap<int>(int&, int&)"),
        (
            "_ZNSsC1Ev",
            "std::basic_string<char, std::char_traits<char>, std::allocator<char>>::basic_string()",
        ),
        (
            "_ZNSs6appendERKSs",
            "std::string::append(std::string const&)",
        ),
        ("_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo()"),
        ("_ZN1aB5cxx111bEv", "a[abi:cxx11]::b()"),
        ("_ZNK2CoawEv", "Co::operator co_await() const"),
        ("_ZN1aW3modW3sub1bEv", "a::b@mod.sub()"),
        ("_ZW3modWP4part1fv", "f@mod:part()"),
        ("_ZNH2Ex1fERKS_i", "Ex::f(this Ex const&, int)"),
        ("_ZDC3sb13sb2E", "[sb1, sb2]"),
        ("_ZN1AF3fooEv", "A::friend foo()"),
        ("_ZN1AD0Ev", "A::~A()"),
        ("_ZN1AC2IiEET_", "A::A<int>(int)"),
        ("_ZN1AcvT_IiEEv", "A::operator int<int>()"),
        (
            "_Zli3_kmPKcm",
            "operator\"\" _km(char const*, unsigned long)",
        ),
    ]);
}

#[test]
fn lambdas_and_local_entities() {
    check(&[
        (
            "_ZZ4mainENKUlvE_clEv",
            "main::'lambda'()::operator()() const",
        ),
        (
            "_ZZ4mainENKUliE0_clEi",
            "main::'lambda0'(int)::operator()(int) const",
        ),
        (
            "_ZZNK3Lam1mEvENKUlT_iE_clIiEEDaS0_i",
            "auto Lam::m() const::'lambda'(auto, int)::operator()<int>(auto, int) const",
        ),
        (
            "_ZZ1fvENKUlTyT_E_clIiEEDaS_",
            "auto f()::'lambda'<typename $T>($T)::operator()<int>($T) const",
        ),
        ("_ZZ4mainE1x", "main::x"),
        ("_ZZ1fvE1x_0", "f()::x"),
        ("_ZZ1fvEs", "f()::string literal"),
        (
            "_ZZ1fiEd0_NKUlvE_clEv",
            "f(int)::'lambda'()::operator()() const",
        ),
        // A template in a local class, which LLVM does not demangle.
        ("_ZZ1fvEN1a1gIiEEvT_", "void f()::a::g<int>(int)"),
        ("_ZZ1fvE1gIiEvT_", "void f()::g<int>(int)"),
        ("_ZN3FooUt_3barEv", "Foo::'unnamed'::bar()"),
    ]);
}

#[test]
fn special_names_name_their_entity() {
    check(&[
        ("_ZTV3Foo", "vtable for Foo"),
        ("_ZTT3Foo", "VTT for Foo"),
        ("_ZTI3Foo", "typeinfo for Foo"),
        ("_ZTS3Foo", "typeinfo name for Foo"),
        ("_ZThn16_N3Foo3barEv", "non-virtual thunk to Foo::bar()"),
        ("_ZTv0_n24_N3Foo3barEv", "virtual thunk to Foo::bar()"),
        (
            "_ZTchn8_h16_N3Foo5cloneEv",
            "covariant return thunk to Foo::clone()",
        ),
        ("_ZTC3Foo0_3Bar", "construction vtable for Bar-in-Foo"),
        ("_ZGVZ1fvE1x", "guard variable for f()::x"),
        ("_ZGR1x_", "reference temporary for x"),
        ("_ZTW1x", "thread-local wrapper routine for x"),
        ("_ZTH1x", "thread-local initialization routine for x"),
        ("_ZGIW3mod", "initializer for module mod"),
        ("_ZTAX1aE", "template parameter object for a"),
        (
            "_ZGTtNKSt9exception4whatEv",
            "transaction clone for std::exception::what() const",
        ),
        (
            "___Z1fv_block_invoke_2",
            "invocation function for block in f()",
        ),
    ]);
}

#[test]
fn types_surround_the_declared_name() {
    check(&[
        ("_Z1fPFivE", "f(int (*)())"),
        ("_Z1fRA3_A4_i", "f(int (&) [3][4])"),
        ("_Z1fM1AKFivE", "f(int (A::*)() const)"),
        ("_Z1fM1Ai", "f(int A::*)"),
        ("_Z1fPFPFvvEiE", "f(void (* (*)(int))())"),
        ("_Z1fPDoFvvE", "f(void (*)() noexcept)"),
        ("_Z1fIiEPFvvET_", "void (*f<int>(int))()"),
        ("_Z1fIJicEEvDpOT_", "void f<int, char>(int&&, char&&)"),
        ("_Z1fIJEEvDpT_", "void f<>()"),
        ("_Z1fIRiEvOT_", "void f<int&>(int&)"),
        ("_Z1fDv4_f", "f(float vector[4])"),
        (
            "_Z1fDF16_DF16bDB8_DU4_",
            "f(_Float16, std::bfloat16_t, _BitInt(8), unsigned _BitInt(4))",
        ),
        (
            "_Z1fu8__svint8u20__remove_reference_tIiE",
            "f(__svint8, __remove_reference_t(int))",
        ),
        ("_Z1fU3AS1Pi", "f(int* AS1)"),
        ("_Z1fPU8__strongI1aEPi", "f(int* __strong<a>*)"),
        ("_Z1fTs1A", "f(struct A)"),
        ("_Z1fCdGf", "f(double complex, float imaginary)"),
    ]);
}

#[test]
fn expressions_are_written_out() {
    check(&[
        ("_Z1fIXgtLi1ELi2EEEvv", "void f<(1 > 2)>()"),
        ("_Z1fIiEDTplfp_Li1EET_", "decltype(fp + 1) f<int>(int)"),
        ("_Z1fIiEDTcl1gfp_EET_", "decltype(g(fp)) f<int>(int)"),
        ("_Z1fIiEDTcp1gfp_EET_", "decltype((g)(fp)) f<int>(int)"),
        (
            "_Z1fIJiiEEDTfrplfp_EDpT_",
            "decltype(((fp...) + ...)) f<int, int>(int, int)",
        ),
        (
            "_Z1fIiEDTfp_EPAszfp__c",
            "decltype(fp) f<int>(char (*) [sizeof (fp)])",
        ),
        (
            "_Z1fILf3fc00000ELd0000000000000000EEvv",
            "void f<0x1.8p+0f, 0x0p+0>()",
        ),
        ("_Z1fIL_Z1gvEEvv", "void f<g()>()"),
        (
            "_Z1fILb1ELc97ELin3ELm5EEvv",
            "void f<true, (char)97, -3, 5ul>()",
        ),
        ("_Z1fILN1a1bE2EEvv", "void f<(a::b)2>()"),
        ("_Z1fIXtl1aLi1ELi2EEEEvv", "void f<a{1, 2}>()"),
        ("_Z1fIXtl1adi1xLi1EEEEvv", "void f<a{.x = 1}>()"),
        (
            "_ZN14AccessInternal18PreRuntimeDispatch4loadILm544836EP7oopDescEEN8EnableIfIXntsr12HasDecoratorIXT_ELm2048EE5valueET0_E4typeEPv",
            "EnableIf<!HasDecorator<544836ul, 2048ul>::value, oopDesc*>::type AccessInternal::PreRuntimeDispatch::load<544836ul, oopDesc*>(void*)",
        ),
    ]);
}

#[test]
fn names_of_d() {
    check(&[
        (
            "_D3std5array__T8AppenderTAyaZQo3putMFNaNbNfAyaZv",
            "std.array.Appender!(immutable(char)[]).Appender.put(immutable(char)[])",
        ),
        (
            "_D3std4uuid4UUID6__ctorMFNaNbNcNiNfKxG16hZSQBpQBoQBm",
            "std.uuid.UUID.this(ref const(ubyte[16]))",
        ),
        (
            "_D3std5stdio4File6__initZ",
            "initializer for std.stdio.File",
        ),
        (
            "_D3foo3barFPFiZvDFZiKiLjZv",
            "foo.bar(void(int) function, int() delegate, ref int, lazy ireal)",
        ),
        (
            "_D3foo__T3barVAyaa3_616263Vb1Vii42Z3barFZv",
            "foo.bar!(\"abc\", true, 42).bar()",
        ),
        (
            "_DThn40_3gtk3BinQe9getStructMFZPv",
            "non-virtual thunk to gtk.Bin.Bin.getStruct()",
        ),
        (
            "_DTi16_D4core4sync5mutex5Mutex4lockMFNeZv",
            "non-virtual thunk to core.sync.mutex.Mutex.lock()",
        ),
    ]);
}

#[test]
fn ada_names_are_demangled_on_request_only() {
    let cases = [
        ("pkg__work__2", Some("pkg.work")),
        ("pkg__child__work", Some("pkg.child.work")),
        ("_ada_hello", Some("hello")),
        ("pkg___elabb", Some("pkg'Elab_Body")),
        ("pkg__Oadd__3", Some("pkg.\"+\"")),
        ("pkg__workerTKB", Some("pkg.worker")),
        ("pkg__workerTK__step", Some("pkg.worker.step")),
        ("pkg__lock__takeN", Some("pkg.lock.take")),
        ("pkg__tSR__2", Some("pkg.t'Read")),
        ("pkg__outer__inner.7", Some("pkg.outer.inner")),
        ("pkg__helper_nameXn", Some("pkg.helper_name")),
        ("main", None),
        ("pkg__Unknown", None),
        ("__gnat_malloc", None),
        ("pkg__some_errorE", None),
        ("", None),
    ];
    for (name, want) in cases {
        assert_eq!(demangle_ada(name, 1000).as_deref(), want, "{name}");
    }
    assert_eq!(demangle_ada("pkg__work", 5), None);
}
