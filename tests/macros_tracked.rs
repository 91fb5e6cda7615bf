//! `#[tracked]` changes where a future is made and nothing else: every kind of `async fn` compiles
//! without a warning, evaluates to what it did, and drops what it did when it did.

#![deny(warnings)]
#![allow(clippy::unused_async, clippy::non_minimal_cfg)]
#![allow(clippy::multiple_bound_locations, clippy::toplevel_ref_arg)]

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use debug_async::future::TrackedFuture;
use debug_async::tracked;

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn run<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("still pending"),
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

/// Accepts a tracked future only.
fn assert_tracked<F: Future>(future: TrackedFuture<F>) -> TrackedFuture<F> {
    future
}

async fn pause() {
    tokio::task::yield_now().await;
}

mod drop_order {
    //! The same functions twice, once `#[tracked]`: what they drop, and when, must be the same.

    use super::*;

    thread_local! {
        static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    fn log(what: impl Into<String>) {
        LOG.with_borrow_mut(|log| log.push(what.into()));
    }

    /// Logs its drop.
    struct D(&'static str);

    impl Drop for D {
        fn drop(&mut self) {
            log(self.0);
        }
    }

    impl D {
        fn get(&self) -> u32 {
            1
        }
    }

    struct Pair {
        left: D,
        right: D,
    }

    impl Pair {
        fn new() -> Self {
            Pair {
                left: D("left"),
                right: D("right"),
            }
        }
    }

    macro_rules! twice {
        ($($items:tt)*) => {
            mod plain {
                use super::*;
                $($items)*
            }
            #[tracked]
            mod tracking {
                use super::*;
                $($items)*
            }
        };
    }

    twice! {
        pub(super) async fn unused(_: D, _b: D, c: D) {
            let _local = D("local");
            pause().await;
            let _ = &c;
        }

        pub(super) async fn patterns((a, _): (D, D), Pair { left, .. }: Pair, [x, _, y]: [D; 3]) {
            let _local = D("local");
            pause().await;
            drop(left);
            log("body");
            let _ = (&a, &x, &y);
        }

        pub(super) async fn bindings(ref a: D, mut b: D, ref mut c: D, d @ D(_): D) {
            pause().await;
            drop(std::mem::replace(&mut b, D("new b")));
            *c = D("new c");
            log(b.0);
            let _ = (a, &b, c, &d);
        }

        pub(super) async fn tail(a: D) -> u32 {
            let _local = D("local");
            pause().await;
            D(if a.get() == 1 { "temporary of the tail" } else { "?" }).get()
        }

        pub(super) async fn early(a: D, b: D) -> Result<(), u32> {
            let _local = D("local");
            pause().await;
            if a.get() == 1 {
                return Err(D("temporary of the return").get());
            }
            drop(b);
            Ok(())
        }

        pub(super) async fn fails(a: D, _: D, b: D) {
            let _local = D("local");
            pause().await;
            drop(b);
            assert_eq!(a.get(), 2, "on purpose");
        }

        pub(super) trait Selfs: Sized {
            async fn by_value_unused(self, _: D) {
                pause().await;
                log("body");
            }
        }

        impl Selfs for Pair {}

        pub(super) trait Fields {
            async fn one_field(self, other: D);
            async fn taken(self, other: D);
            async fn changed(self, other: D);
            async fn boxed(self: Box<Self>, other: D);
        }

        impl Fields for Pair {
            async fn one_field(self, other: D) {
                let _local = D("local");
                pause().await;
                log("body");
                let _ = (&self.left, other);
            }

            async fn taken(self, other: D) {
                pause().await;
                let Pair { left, .. } = self;
                log("body");
                drop(other);
                drop(left);
            }

            async fn changed(mut self, other: D) {
                pause().await;
                self.right = other;
                log(self.right.0);
            }

            async fn boxed(self: Box<Self>, other: D) {
                pause().await;
                drop(self.right);
                log("body");
                let _ = &other;
            }
        }
    }

    /// What is logged when the future is polled `polls` times and dropped.
    fn drops<F: Future>(polls: usize, make: impl FnOnce() -> F) -> Vec<String> {
        log("made");
        let mut future = Box::pin(make());
        for _ in 0..polls {
            let polled = catch_unwind(AssertUnwindSafe(|| poll(future.as_mut()).is_ready()));
            log(format!(
                "polled: {}",
                polled.map_or("panicked", |ready| ["no", "yes"][usize::from(ready)])
            ));
        }
        drop(future);
        log("dropped");
        LOG.take()
    }

    macro_rules! same {
        ($($name:ident: $($path:ident)::+($($arg:expr),*);)*) => {$(
            #[test]
            fn $name() {
                let bare = |polls| drops(polls, || plain::$($path)::+($($arg),*));
                let wrapped = |polls| drops(polls, || tracking::$($path)::+($($arg),*));
                for polls in 0..=2 {
                    assert_eq!(bare(polls), wrapped(polls), "after {polls} polls");
                }
                assert!(bare(2).len() > 4, "{:?}", bare(2));
            }
        )*};
    }

    same! {
        unused_arguments: unused(D("a"), D("b"), D("c"));
        pattern_arguments: patterns((D("1"), D("2")), Pair::new(), [D("x"), D("y"), D("z")]);
        binding_modes: bindings(D("a"), D("b"), D("c"), D("d"));
        temporaries_of_the_tail: tail(D("a"));
        early_return: early(D("a"), D("b"));
        panics: fails(D("a"), D("b"), D("c"));
        self_unused: Selfs::by_value_unused(Pair::new(), D("other"));
        self_one_field: Fields::one_field(Pair::new(), D("other"));
        self_taken_apart: Fields::taken(Pair::new(), D("other"));
        self_mut: Fields::changed(Pair::new(), D("other"));
        self_boxed: Fields::boxed(Box::new(Pair::new()), D("other"));
    }
}

mod sizes {
    use super::*;

    async fn plain(a: [u8; 300], b: String, _: [u8; 40]) -> usize {
        pause().await;
        a.len() + b.len()
    }

    #[tracked]
    async fn wrapped(a: [u8; 300], b: String, _: [u8; 40]) -> usize {
        pause().await;
        a.len() + b.len()
    }

    #[test]
    fn the_future_inside_is_no_larger_than_the_plain_one() {
        let plain = plain([0; 300], String::new(), [0; 40]);
        let wrapped = wrapped([0; 300], String::new(), [0; 40]);
        assert_eq!(size_of_val(wrapped.get_ref()), size_of_val(&plain));
        wrapped.discard();
    }
}

mod free_functions {
    use super::*;

    #[tracked]
    async fn nothing() {}

    #[tracked]
    async fn with_arguments(a: u32, mut b: String, (c, d): (u8, u8)) -> String {
        b.push_str(&a.to_string());
        format!("{b}{c}{d}")
    }

    #[tracked(name = "given")]
    async fn named() -> u32 {
        4
    }

    #[tracked(crate = debug_async)]
    async fn path_given() -> u32 {
        5
    }

    #[tracked(crate = "::debug_async", name = "both")]
    async fn path_given_as_string() -> u32 {
        6
    }

    #[tracked]
    async fn generic<T: Clone + Debug, const N: usize>(value: &T) -> [T; N]
    where
        T: PartialEq,
    {
        std::array::from_fn(|_| value.clone())
    }

    #[tracked]
    async fn elided(text: &str) -> &str {
        text.trim()
    }

    #[tracked]
    async fn two_hidden(a: &str, b: &mut Vec<u8>) {
        b.extend(a.bytes());
    }

    #[tracked]
    async fn named_lifetimes<'a, 'b: 'a>(a: &'a str, b: &'b str) -> &'a str {
        if a.len() > b.len() { a } else { b }
    }

    #[tracked]
    async fn underscore_lifetime(cell: std::cell::Ref<'_, String>) -> usize {
        cell.len()
    }

    #[tracked]
    async fn higher_ranked(f: impl for<'x> Fn(&'x str) -> &'x str, g: &dyn Fn(u8) -> u8) -> usize {
        f("abc").len() + usize::from(g(1))
    }

    #[tracked]
    async fn impl_argument(value: impl Display + Send) -> String {
        value.to_string()
    }

    #[tracked]
    async fn impl_return(n: u32) -> impl Iterator<Item = u32> + Debug {
        0..n
    }

    #[tracked]
    async fn impl_return_nested(n: u32) -> Result<(impl Display, Vec<impl Debug>), Box<dyn Debug>> {
        if n == 0 {
            return Err(Box::new(n));
        }
        Ok((n, vec![n]))
    }

    #[tracked]
    async fn boxed_dyn(n: u32) -> Box<dyn Display> {
        if n == 0 {
            return Box::new("none");
        }
        Box::new(n)
    }

    /// The error type is known from the signature only.
    #[tracked]
    async fn question_marks(text: &str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        let text = std::str::from_utf8(text.as_bytes())?;
        if text.is_empty() {
            return Err("empty".into());
        }
        let parse = |text: &str| -> Result<u32, std::num::ParseIntError> {
            if text.len() > 9 {
                return "-".parse();
            }
            text.parse()
        };
        for _ in 0..1 {
            if text == "7" {
                return Ok(7);
            }
        }
        Ok(parse(text)?)
    }

    #[tracked]
    async fn inferred() -> Vec<u8> {
        "1 2 3".split(' ').filter_map(|n| n.parse().ok()).collect()
    }

    #[tracked]
    async fn default_of_unit() {
        Default::default()
    }

    #[tracked]
    async fn uninhabited() -> Result<std::convert::Infallible, ()> {
        Err(())
    }

    #[tracked]
    async fn infallible() -> std::convert::Infallible {
        std::future::pending().await
    }

    #[tracked]
    async fn never() -> ! {
        loop {
            pause().await;
        }
    }

    #[tracked]
    async fn never_panics() -> ! {
        panic!("on purpose")
    }

    #[tracked]
    #[allow(unsafe_code)]
    async unsafe fn dangerous(n: u32) -> u32 {
        n
    }

    #[tracked]
    async fn recursive(n: u32) -> u32 {
        if n == 0 {
            0
        } else {
            1 + Box::pin(recursive(n - 1)).await
        }
    }

    #[tracked]
    async fn not_send(rc: Rc<u32>) -> u32 {
        pause().await;
        *rc
    }

    #[tracked]
    async fn unit_argument(_unit: (), (): ()) {}

    /// A function's documentation, and what else may stand on it.
    #[tracked]
    #[doc(hidden)]
    #[inline]
    #[allow(unused_variables, clippy::needless_return)]
    #[cfg(all())]
    #[must_use]
    pub(super) async fn attributes(unused: u32) -> u32 {
        #![allow(unused_mut)]
        let mut n = 3;
        return n;
    }

    #[tracked]
    async fn attributes_on_arguments(
        #[cfg(any())] a: Missing,
        #[cfg(all())] b: u32,
        #[allow(unused_variables)] c: u32,
        #[expect(unused_variables)] d: u32,
        #[cfg(any())] (e, f): (Missing, Missing),
        #[cfg(all())] _either: u8,
        #[cfg(not(all()))] _either: u16,
    ) -> u32 {
        b
    }

    #[tracked]
    async fn nested() -> u32 {
        async fn inner() -> u32 {
            1
        }
        const ONE: u32 = 1;
        #[tracked]
        async fn inner_tracked() -> u32 {
            ONE
        }
        inner().await + assert_tracked(inner_tracked()).await
    }

    #[tracked]
    async fn macros_in_the_body(n: u32) -> String {
        let words = Vec::from([format!("{n}"), format!("{}", n + 1)]);
        if !matches!(n, 0..=9) {
            unreachable!("{n}");
        }
        words.join(&String::from(concat!(",", " ")))
    }

    #[tracked]
    async fn raw_names(r#type: u32, mut r#fn: u32) -> u32 {
        r#fn += r#type;
        r#fn
    }

    #[tracked]
    async fn names_of_ours(run: u32, body: u32, output: u32, __arg4: u32, _: ()) -> u32 {
        run + body + output + __arg4
    }

    #[test]
    fn evaluate_to_what_they_did() {
        run(assert_tracked(assert_send(nothing())));
        assert_eq!(run(with_arguments(1, "x".into(), (2, 3))), "x123");
        assert_eq!(
            run(named()) + run(path_given()) + run(path_given_as_string()),
            15
        );
        assert_eq!(run(generic::<_, 2>(&'x')), ['x', 'x']);
        assert_eq!(run(assert_send(elided(" x "))), "x");
        let mut bytes = Vec::new();
        run(two_hidden("ab", &mut bytes));
        assert_eq!(bytes, b"ab");
        assert_eq!(run(named_lifetimes("a", "bb")), "bb");
        assert_eq!(
            run(underscore_lifetime(
                RefCell::new("four".to_owned()).borrow()
            )),
            4
        );
        assert_eq!(run(higher_ranked(|text| text, &|n| n)), 4);
        assert_eq!(run(assert_send(impl_argument(5))), "5");
        assert_eq!(run(impl_return(3)).sum::<u32>(), 3);
        let (shown, debugged) = run(impl_return_nested(1)).unwrap();
        assert_eq!(format!("{shown}{debugged:?}"), "1[1]");
        assert!(run(impl_return_nested(0)).is_err());
        assert_eq!(
            run(boxed_dyn(0)).to_string() + &run(boxed_dyn(1)).to_string(),
            "none1"
        );
        assert_eq!(run(assert_send(question_marks("7"))).unwrap(), 7);
        assert_eq!(run(question_marks("")).unwrap_err().to_string(), "empty");
        assert!(run(question_marks("x")).is_err());
        assert_eq!(run(inferred()), [1, 2, 3]);
        run(default_of_unit());
        assert!(run(uninhabited()).is_err());
        assert!(poll(pin!(infallible())).is_pending());
        assert_eq!(run(unsafe_call()), 8);
        assert_eq!(run(assert_send(recursive(3))), 3);
        assert!(poll(pin!(not_send(Rc::new(1)))).is_pending());
        run(unit_argument((), ()));
        assert_eq!(run(attributes(0)), 3);
        assert_eq!(run(attributes_on_arguments(9, 1, 1, 1)), 9);
        assert_eq!(run(nested()), 2);
        assert_eq!(run(macros_in_the_body(1)), "1, 2");
        assert_eq!(run(raw_names(1, 2)), 3);
        assert_eq!(run(names_of_ours(1, 2, 3, 4, ())), 10);
    }

    #[allow(unsafe_code)]
    fn unsafe_call() -> impl Future<Output = u32> {
        // SAFETY: there is nothing dangerous in it.
        unsafe { dangerous(8) }
    }

    #[test]
    fn never_is_a_type_of_output() {
        let never: Pin<Box<dyn Future<Output = _>>> = Box::pin(async {
            if poll(pin!(never())).is_ready() {
                never().await
            } else {
                3
            }
        });
        assert_eq!(run(never), 3);
        assert!(catch_unwind(|| run(async { never_panics().await })).is_err());
    }

    #[test]
    fn can_be_spawned() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            assert_eq!(tokio::spawn(inferred()).await.unwrap(), [1, 2, 3]);
            let owned = tokio::spawn(async { elided(" x ").await.len() });
            assert_eq!(owned.await.unwrap(), 1);
        });
    }

    #[test]
    fn are_functions_like_any_other() {
        let calls: Vec<_> = [1, 2].map(recursive).into_iter().map(run).collect();
        assert_eq!(calls, [1, 2]);
        async fn call(f: impl AsyncFn(&str) -> &str) -> usize {
            f(" x").await.len()
        }
        assert_eq!(run(call(elided)), 1);
    }
}

mod methods {
    use super::*;

    #[derive(Debug, Default)]
    struct Counter {
        count: u32,
        name: String,
    }

    impl Counter {
        const START: u32 = 10;

        #[tracked]
        async fn new(count: u32) -> Self {
            Self {
                count: count + Self::START,
                ..Self::default()
            }
        }

        #[tracked(name = "Counter::by_ref")]
        async fn by_ref(&self) -> u32 {
            self.count
        }

        #[tracked]
        pub(crate) async fn by_mut(&mut self, by: u32) -> &mut Self {
            self.count += by;
            self
        }
    }

    #[tracked]
    impl Counter {
        async fn by_value(self) -> String {
            self.name
        }

        async fn by_mut_value(mut self) -> Self {
            self.count += 1;
            self
        }

        async fn in_box(self: Box<Self>) -> u32 {
            self.count
        }

        async fn in_arc(self: Arc<Self>) -> u32 {
            pause().await;
            self.count
        }

        async fn in_ref_rc(self: &Rc<Self>) -> Rc<Self> {
            Rc::clone(self)
        }

        async fn in_pin(mut self: Pin<&mut Self>) -> u32 {
            self.count += 1;
            self.count
        }

        async fn elided_from_self(&self, _other: &str) -> &str {
            &self.name
        }

        async fn macros_with_self(&self) -> String {
            format!("{}/{:?}", self.count, Some(self).map(|this| &this.name))
        }

        fn not_async(&self) -> u32 {
            self.count
        }

        #[tracked(skip)]
        async fn skipped(&self) -> u32 {
            self.count
        }

        /// Has arguments of its own, and is wrapped once.
        #[tracked(name = "own")]
        #[cfg(all())]
        async fn own_arguments(&self) -> u32 {
            self.count
        }

        fn manual(&self) -> impl Future<Output = u32> + Send + '_ {
            let by = 1;
            async move { self.count + by }
        }

        #[cfg(any())]
        async fn not_there(&self) -> Missing {}
    }

    #[test]
    fn every_kind_of_self() {
        let counter = || Counter {
            count: 1,
            name: "n".into(),
        };
        assert_eq!(run(Counter::new(1)).count, 11);
        assert_eq!(run(assert_tracked(assert_send(counter().by_ref()))), 1);
        assert_eq!(run(assert_tracked(counter().by_mut(2))).count, 3);
        assert_eq!(run(assert_tracked(counter().by_value())), "n");
        assert_eq!(run(counter().by_mut_value()).count, 2);
        assert_eq!(run(Box::new(counter()).in_box()), 1);
        let mut arc = Box::pin(assert_send(Arc::new(counter()).in_arc()));
        assert!(poll(arc.as_mut()).is_pending());
        assert_eq!(run(Rc::new(counter()).in_ref_rc()).count, 1);
        assert_eq!(run(pin!(counter()).in_pin()), 2);
        assert_eq!(run(counter().elided_from_self("")), "n");
        assert_eq!(run(counter().macros_with_self()), "1/Some(\"n\")");
        assert_eq!(counter().not_async(), 1);
        assert_eq!(run(counter().skipped()), 1);
        assert_eq!(run(assert_tracked(counter().own_arguments())), 1);
        assert_eq!(run(assert_send(counter().manual())), 2);
    }
}

mod traits {
    use super::*;

    trait Shape {
        async fn area(&self) -> u32;

        async fn twice(&self) -> u32 {
            2 * self.area().await
        }

        async fn label(&self, prefix: &str) -> impl Display {
            format!("{prefix}{}", self.area().await)
        }
    }

    #[tracked]
    trait Tracked {
        async fn area(&self) -> u32;

        #[must_use]
        async fn twice(&self) -> u32 {
            2 * self.area().await
        }

        async fn sized(self) -> u32
        where
            Self: Sized,
        {
            1
        }

        fn send(&self) -> impl Future<Output = u32> + Send {
            async { 3 }
        }
    }

    struct Plain(u32);
    struct Whole(u32);
    struct Single(u32);

    impl Tracked for Plain {
        async fn area(&self) -> u32 {
            self.0
        }

        async fn twice(&self) -> u32 {
            self.0 + self.0
        }
    }

    #[tracked]
    impl Tracked for Whole {
        async fn area(&self) -> u32 {
            self.0
        }
    }

    #[tracked]
    impl Shape for Whole {
        async fn area(&self) -> u32 {
            self.0
        }

        async fn label(&self, prefix: &str) -> impl Display {
            format!("{prefix}!")
        }
    }

    impl Shape for Single {
        #[tracked]
        async fn area(&self) -> u32 {
            self.0
        }

        async fn twice(&self) -> u32 {
            7
        }
    }

    impl Tracked for Single {
        #[tracked(name = "Single::area")]
        async fn area(&self) -> u32 {
            self.0
        }
    }

    #[tracked]
    impl<T: Shape> Shape for &T {
        async fn area(&self) -> u32 {
            T::area(self).await
        }
    }

    async fn generic(shape: impl Shape, tracked: impl Tracked) -> u32 {
        shape.twice().await + tracked.twice().await + tracked.send().await + tracked.sized().await
    }

    #[test]
    fn either_side_may_be_plain() {
        assert_eq!(run(generic(Whole(1), Plain(2))), 2 + 4 + 3 + 1);
        assert_eq!(run(generic(&Single(1), Whole(2))), 2 + 4 + 3 + 1);
        assert_eq!(run(generic(Single(1), Single(2))), 7 + 4 + 3 + 1);
        assert_eq!(run(Whole(1).label("a")).to_string(), "a!");
        assert_eq!(run(Shape::label(&&Whole(4), "a")).to_string(), "a4");
        assert_eq!(run(Tracked::area(&Plain(3))), 3);
    }
}

mod boxes {
    //! What `#[async_trait]` makes, written out.

    use super::*;

    type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

    trait Store {
        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Option<String>>;
    }

    struct Map;

    impl Store for Map {
        #[tracked]
        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Option<String>> {
            Box::pin(async move {
                pause().await;
                Some(key.to_owned())
            })
        }
    }

    struct Other;

    #[tracked]
    impl Store for Other {
        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Option<String>> {
            let owned = key.to_owned();
            std::boxed::Box::pin(async move { Some(owned) })
        }
    }

    #[tracked]
    fn named() -> impl Future<Output = TypeId> {
        async { TypeId }
    }

    struct TypeId;

    #[test]
    fn the_block_inside_is_tracked() {
        let stores: [&dyn Store; 2] = [&Map, &Other];
        assert!(poll(stores[0].get("x").as_mut()).is_pending());
        assert_eq!(run(stores[1].get("x")).as_deref(), Some("x"));
        let TypeId = run(named());
    }
}

mod modules {
    use super::*;

    #[tracked]
    mod all {
        pub(super) async fn free(n: u32) -> u32 {
            n + deeper::free().await
        }

        pub(super) struct Type;

        impl Type {
            pub(in super::super) async fn method(&self) -> u32 {
                1
            }
        }

        pub(super) trait Trait {
            async fn provided(&self) -> u32 {
                2
            }
        }

        impl Trait for Type {}

        mod deeper {
            pub(super) async fn free() -> u32 {
                3
            }
        }

        #[tracked(skip)]
        pub(super) async fn skipped() -> u32 {
            4
        }

        #[tracked(skip)]
        impl Type {
            pub(in super::super) async fn skipped(&self) -> u32 {
                5
            }
        }

        #[tokio::test]
        async fn attributes_that_look_for_async_go_first() {
            assert_eq!(free(1).await, 4);
        }
    }

    #[test]
    fn everything_in_a_module_is_tracked() {
        use all::Trait as _;

        assert_eq!(run(assert_tracked(all::free(1))), 4);
        assert_eq!(run(assert_tracked(all::Type.method())), 1);
        assert_eq!(run(all::Type.provided()), 2);
        assert_eq!(run(all::skipped()), 4);
        assert_eq!(run(all::Type.skipped()), 5);
    }
}

mod hygiene {
    use super::*;

    macro_rules! make {
        ($name:ident, $arg:ident, $ty:ty) => {
            #[tracked]
            async fn $name($arg: $ty, x: u32) -> $ty {
                $arg + x
            }

            impl Method {
                #[tracked]
                async fn $name(&self, $arg: $ty) -> $ty {
                    self.0 + $arg
                }
            }
        };
    }

    struct Method(u32);

    make!(made, x, u32);

    /// Every part of the function comes in a group that cannot be seen.
    macro_rules! make_from_parts {
        ($item:item, $vis:vis $name:ident($pat:pat, $arg:ty) -> $ret:ty $body:block) => {
            #[tracked]
            $item

            #[tracked]
            $vis async fn $name($pat: $arg) -> $ret $body
        };
    }

    make_from_parts! {
        async fn item(n: u8) -> u8 { n },
        pub(super) parts((a, _), (u8, u8)) -> u8 { a }
    }

    #[test]
    fn in_a_macro_by_example() {
        assert_eq!(run(item(1)) + run(parts((2, 0))), 3);
        assert_eq!(run(made(1, 2)), 3);
        assert_eq!(run(Method(1).made(2)), 3);
    }

    #[allow(dead_code)]
    mod nothing_in_scope {
        struct Option;
        struct Some;
        struct Future;
        mod core {}
        mod std {}

        #[debug_async::tracked]
        async fn works() -> u8 {
            1
        }
    }
}
