//! What the attributes make of programs that compile (`ui/pass`, run as well) and of such that do
//! not (`ui/fail`, with the compiler's words beside them).

#[test]
fn programs() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}
