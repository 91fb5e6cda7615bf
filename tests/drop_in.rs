//! `use debug_async::task;` in place of `use tokio::task;`.
//!
//! What tokio has is read from its own source, as cargo resolved it, and held against
//! ours: every public name, and of what is wrapped here every method with its
//! signature and bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, File, ImplItem, Item, Signature, Type, UseTree, Visibility};

/// What is not as in tokio, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

// ----- where tokio is --------------------------------------------------------------

/// The directory of tokio's sources.
fn tokio() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--filter-platform"])
        .arg(host())
        .current_dir(root)
        .output()
        .expect("cargo can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {said}");
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let list = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    let ours = packages.iter().find(|package| {
        let manifest = package["manifest_path"].as_str().map(Path::new);
        manifest == Some(&root.join("Cargo.toml"))
    });
    let ours = &ours.expect("cargo metadata knows this package")["id"];
    let nodes = list(&metadata["resolve"]["nodes"]);
    let node = nodes.iter().find(|node| node["id"] == *ours);
    let used = list(&node.expect("and what it depends on")["deps"]);
    let used = used.iter().find(|dependency| dependency["name"] == "tokio");
    let id = &used.expect("tokio among it")["pkg"];
    let package = packages.iter().find(|package| package["id"] == *id);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = Path::new(manifest.expect("and where it lies"));
    manifest.parent().expect("a directory").join("src")
}

fn host() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let output = Command::new(rustc).arg("-vV").output();
    let said = String::from_utf8(output.expect("rustc can be run").stdout);
    let said = said.expect("it prints text");
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc says for which machine it is").to_owned()
}

fn parse(path: &Path) -> File {
    let source =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    syn::parse_file(&source).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

// ----- what a module offers --------------------------------------------------------

/// The items, those in tokio's `cfg_…! { … }` included.
fn items(file: &[Item]) -> Vec<Item> {
    let mut all = Vec::new();
    for item in file {
        match item {
            Item::Macro(call) if is_cfg(call) => {
                let inside: File = syn::parse2(call.mac.tokens.clone()).expect("items");
                all.extend(items(&inside.items));
            }
            _ => all.push(item.clone()),
        }
    }
    all
}

fn is_cfg(call: &syn::ItemMacro) -> bool {
    let name = call.mac.path.to_token_stream().to_string();
    name.starts_with("cfg_") && !name.starts_with("cfg_not_")
}

/// Each public name, and the path by which it is there.
fn names(file: &[Item], prefix: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for item in items(file) {
        match item {
            Item::Use(item) if is_public(&item.vis) => {
                uses(&item.tree, &mut Vec::new(), &mut |path| {
                    let name = path.last().expect("a name");
                    found.insert(format!("{prefix}{name}"), path.to_vec());
                })
            }
            Item::Mod(item) if is_public(&item.vis) && !is_unstable(&item.attrs) => {
                let name = format!("{prefix}{}", item.ident);
                if let Some((_, inside)) = &item.content {
                    found.extend(names(inside, &format!("{name}::")));
                }
                found.insert(name.clone(), vec!["self".into(), name]);
            }
            _ => {}
        }
    }
    found
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// `pub mod join_set;`, which without the cfg is private.
fn is_unstable(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let text = attribute.to_token_stream().to_string();
        text.starts_with("# [cfg (tokio_unstable)")
    })
}

fn uses(tree: &UseTree, path: &mut Vec<String>, found: &mut impl FnMut(&[String])) {
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            uses(&inner.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) => {
            path.push(name.ident.to_string());
            found(path);
            path.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                uses(tree, path, found);
            }
        }
        UseTree::Rename(_) | UseTree::Glob(_) => panic!("neither renames nor globs are read"),
    }
}

/// Every source below a directory.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.flat_map(|path| match path.is_dir() {
        true => sources(&path),
        false => vec![path],
    });
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// What a crate says of a type or function: in tokio or here, in the file that has it.
#[derive(Default)]
struct Defined {
    /// The signature, if it is a function; and of each public method.
    methods: BTreeMap<String, Signature>,
    traits: BTreeSet<String>,
}

/// Where `name` is defined: `stem` is the file's, where several have that name.
fn defined(files: &[PathBuf], name: &str, stem: Option<&str>) -> Defined {
    let mut found = None;
    for path in files {
        let is_elsewhere = stem.is_some_and(|stem| path.file_stem() != Some(stem.as_ref()));
        let items = items(&parse(path).items);
        if is_elsewhere || !items.iter().any(|item| defines(item, name)) {
            continue;
        }
        let before = found.replace(read(&items, name));
        assert!(before.is_none(), "{name} is defined twice");
    }
    found.unwrap_or_else(|| panic!("nothing defines {name}"))
}

fn defines(item: &Item, name: &str) -> bool {
    match item {
        Item::Struct(item) => item.ident == name,
        Item::Fn(item) => item.sig.ident == name && is_public(&item.vis),
        _ => false,
    }
}

fn read(items: &[Item], name: &str) -> Defined {
    let mut found = Defined::default();
    for item in items {
        match item {
            Item::Fn(item) if item.sig.ident == name && is_public(&item.vis) => {
                found.methods.insert(name.to_owned(), item.sig.clone());
            }
            Item::Struct(item) if item.ident == name => {
                for attribute in item.attrs.iter().filter(|a| a.path().is_ident("derive")) {
                    let derived = attribute.meta.require_list().expect("a list");
                    let derived = derived.tokens.to_string();
                    found
                        .traits
                        .extend(derived.split(',').map(|name| name.trim().to_owned()));
                }
            }
            Item::Impl(item) if last(&item.self_ty) == name => match &item.trait_ {
                Some((_, path, _)) => {
                    let path = path.segments.last().expect("a name");
                    found.traits.insert(path.ident.to_string());
                }
                None => {
                    let methods = item.items.iter().filter_map(|item| match item {
                        ImplItem::Fn(method) if is_public(&method.vis) => Some(&method.sig),
                        _ => None,
                    });
                    let methods = methods.map(|sig| (sig.ident.to_string(), sig.clone()));
                    found.methods.extend(methods);
                }
            },
            _ => {}
        }
    }
    found
}

fn last(ty: &Type) -> String {
    match ty {
        Type::Path(path) => path.path.segments.last().expect("a name").ident.to_string(),
        _ => String::new(),
    }
}

// ----- signatures ------------------------------------------------------------------

/// A signature without what does not matter to the caller: the names of arguments and
/// of parameters, the way to a type, and where a bound is written.
fn normal(sig: &Signature, own: &str) -> String {
    let mut sig = sig.clone();
    Short(own).visit_signature_mut(&mut sig);
    let mut bounds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut parameters = Vec::new();
    for parameter in sig.generics.type_params() {
        let name = parameter.ident.to_string();
        let there = bounds.entry(name.clone()).or_default();
        there.extend(parameter.bounds.iter().map(text));
        parameters.push(name);
    }
    for predicate in sig.generics.where_clause.iter().flat_map(|w| &w.predicates) {
        if let syn::WherePredicate::Type(predicate) = predicate {
            let there = bounds.entry(text(&predicate.bounded_ty)).or_default();
            there.extend(predicate.bounds.iter().map(text));
        }
    }
    let arguments: Vec<String> = sig
        .inputs
        .iter()
        .map(|argument| match argument {
            syn::FnArg::Receiver(own) => {
                let own = own.to_token_stream().to_string();
                own.trim_start_matches("mut ").to_owned()
            }
            syn::FnArg::Typed(typed) => text(&typed.ty),
        })
        .collect();
    let is_async = sig.asyncness.is_some();
    let output = text(&sig.output);
    let all = format!("async {is_async} ({arguments:?}) {output} where {bounds:?}");
    // The parameters by their order.
    let words = all.split_inclusive(|c: char| !c.is_alphanumeric() && c != '_');
    let renamed = words.map(|word| {
        let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '_');
        match parameters.iter().position(|name| name == bare) {
            Some(at) => format!("#{at}{}", &word[bare.len()..]),
            None => word.to_owned(),
        }
    });
    renamed.collect()
}

fn text(part: &impl ToTokens) -> String {
    part.to_token_stream().to_string()
}

/// Paths without what stands before their last name, and `Self` for the type itself.
struct Short<'a>(&'a str);

impl VisitMut for Short<'_> {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        visit_mut::visit_path_mut(self, path);
        let is_associated = path.segments.len() == 2 && path.segments[0].ident == "F";
        if let (false, Some(mut last)) = (is_associated, path.segments.last().cloned()) {
            if last.ident == self.0 {
                last = syn::parse_quote!(Self);
            }
            path.leading_colon = None;
            path.segments = std::iter::once(last).collect();
        }
    }
}

// ----- the comparison --------------------------------------------------------------

/// Traits that say nothing about how a type is used.
const INWARD: &[&str] = &[
    "Drop",
    "Deref",
    "UnwindSafe",
    "RefUnwindSafe",
    "Send",
    "Sync",
];

fn compare(what: &str, theirs: &Defined, ours: &Defined) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, sig) in &theirs.methods {
        match ours.methods.get(name) {
            Some(own) if normal(own, what) == normal(sig, what) => {}
            Some(own) => wrong.push(format!(
                "{what}: {name} is\n  {}\nand in tokio\n  {}",
                normal(own, what),
                normal(sig, what)
            )),
            None => wrong.push(format!("{what}: there is no {name}")),
        }
    }
    let theirs = theirs.traits.iter().map(String::as_str);
    let missing = theirs.filter(|name| !INWARD.contains(name) && !ours.traits.contains(*name));
    wrong.extend(missing.map(|name| format!("{what}: is not {name}")));
    wrong
}

fn without_exceptions(wrong: Vec<String>) -> Vec<String> {
    let is_excepted = |text: &String| EXCEPTIONS.iter().any(|(what, _)| text.starts_with(what));
    wrong
        .into_iter()
        .filter(|text| !is_excepted(text))
        .collect()
}

#[test]
fn every_name_of_tokio_is_here() {
    let theirs = names(&parse(&tokio().join("task/mod.rs")).items, "");
    let ours = names(&parse(&here().join("mod.rs")).items, "");
    // Not an empty list, for one.
    for known in ["spawn", "JoinSet", "LocalKey", "Builder", "coop"] {
        assert!(theirs.contains_key(known), "{theirs:?}");
    }
    let inside = |name: &str| name.split_once("::").map(|(module, _)| module.to_owned());
    let missing: Vec<String> = theirs
        .keys()
        // What is in a module that is tokio's own is there with it.
        .filter(|name| !ours.contains_key(inside(name).as_ref().unwrap_or(name)))
        .map(|name| format!("{name}: is missing"))
        .collect();
    let missing = without_exceptions(missing);
    assert!(missing.is_empty(), "{missing:#?}");
}

/// What `tokio::runtime` has under `--cfg tokio_unstable` only, and what is not here
/// with it.
const UNSTABLE_RUNTIME: &[&str] = &["UnhandledPanic", "RngSeed", "TaskMeta", "dump", "Dump"];

#[test]
fn every_name_of_tokio_s_runtime_is_here() {
    let theirs = parse(&tokio().join("runtime/mod.rs")).items;
    let functions = items(&theirs).into_iter().filter_map(|item| match item {
        Item::Fn(item) if is_public(&item.vis) => Some(item.sig.ident.to_string()),
        _ => None,
    });
    let theirs: BTreeSet<String> = names(&theirs, "").into_keys().chain(functions).collect();
    for known in ["Builder", "worker_index", "RuntimeMetrics"] {
        assert!(theirs.contains(known), "{theirs:?}");
    }
    let ours = names(&parse(&here().join("../runtime/mod.rs")).items, "");
    let is_unstable = |name: &str| UNSTABLE_RUNTIME.contains(&name) || name.contains("Histogram");
    let missing: Vec<&String> = theirs
        .iter()
        .filter(|name| !ours.contains_key(*name) && !is_unstable(name))
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_is_wrapped_is_used_as_tokio_s() {
    let tokio = tokio();
    let theirs = [
        sources(&tokio.join("task")),
        sources(&tokio.join("runtime/task")),
    ]
    .concat();
    let ours = sources(&here());
    let names = names(&parse(&here().join("mod.rs")).items, "");
    let wrapped: Vec<(&str, &[String])> = names
        .iter()
        .filter(|(_, path)| path[0] == "self")
        .map(|(name, path)| (name.as_str(), path.as_slice()))
        .collect();
    assert!(wrapped.len() > 8, "{wrapped:?}");

    let mut wrong = Vec::new();
    for (name, path) in wrapped {
        // `spawn!` needs some that nobody else does.
        if ["ByDebug", "ByType", "Probe", "spawn_probed"].contains(&name) {
            continue;
        }
        let own = defined(&ours, name, path.get(1).map(String::as_str));
        // Only the builder's name is there twice.
        let stem = (name == "Builder").then_some("builder");
        wrong.extend(compare(name, &defined(&theirs, name, stem), &own));
    }
    let builder = defined(&theirs, "Builder", Some("join_set"));
    let own = defined(&ours, "Builder", Some("join_set_builder"));
    wrong.extend(compare("Builder", &builder, &own));

    let wrong = without_exceptions(wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/task")
}

#[test]
fn what_differs_is_seen() {
    let file = |source: &str| {
        let file = syn::parse_str::<File>(source).expect("Rust");
        read(&items(&file.items), "A")
    };
    let theirs = file(
        "cfg_unstable! { impl A { pub fn only_there(&mut self) {} } }
         impl Clone for A {}
         impl A {
             pub fn same<F>(self, f: F) -> crate::io::Result<B> where F: Future, F: Send {}
             pub fn other<F: Send>(&self, f: F) {}
             pub(crate) fn inward(&self) {}
         }",
    );
    let ours = file(
        "impl A {
             pub fn same<Fut: Send + Future>(self, future: Fut) -> io::Result<B> {}
             pub fn other<F>(&self, f: F) {}
         }",
    );
    let wrong = compare("A", &theirs, &ours);
    let firsts: Vec<&str> = wrong
        .iter()
        .filter_map(|text| text.lines().next())
        .collect();
    assert_eq!(
        firsts,
        [
            "A: there is no only_there",
            "A: other is",
            "A: is not Clone"
        ]
    );
}

// ----- as it is written ------------------------------------------------------------

/// One program, with either module in scope.
macro_rules! program {
    ($name:ident, $task:path) => {
        mod $name {
            use std::rc::Rc;
            use std::time::Duration;

            use $task as task;

            use self::task::{AbortHandle, Id, JoinError, JoinHandle, JoinSet, LocalSet};

            tokio::task_local! { static DEPTH: u32; }

            static LOCAL: &task::LocalKey<u32> = &DEPTH;

            fn name_of(handle: &JoinHandle<u32>) -> (Id, AbortHandle) {
                (handle.id(), handle.abort_handle())
            }

            async fn scoped() -> u32 {
                let scope: task::futures::TaskLocalFuture<u32, _> =
                    LOCAL.scope(3, async { DEPTH.get() });
                task::unconstrained(scope).await
            }

            async fn tasks(said: &mut Vec<String>) -> Result<(), JoinError> {
                let handle = task::spawn(async {
                    assert!(task::try_id().is_some());
                    task::yield_now().await;
                    assert!(task::coop::has_budget_remaining());
                    task::coop::consume_budget().await;
                    assert_eq!(task::id().to_string().is_empty(), false);
                    scoped().await
                });
                let (id, abort) = name_of(&handle);
                said.push((id == handle.id() && id == abort.id()).to_string());
                said.push(handle.await?.to_string());
                said.push(task::spawn_blocking(|| 4).await?.to_string());
                said.push(task::block_in_place(|| 5).to_string());

                let sleeps = task::spawn(tokio::time::sleep(Duration::from_secs(60)));
                sleeps.abort();
                said.push(sleeps.await.unwrap_err().is_cancelled().to_string());

                let mut set = JoinSet::new();
                set.spawn(async { 6 });
                set.spawn_on(async { 6 }, &tokio::runtime::Handle::current());
                set.spawn_blocking(|| 6);
                set.extend([async { 6 }]);
                while let Some(result) = set.join_next().await {
                    said.push(result?.to_string());
                }
                Ok(())
            }

            async fn local(said: &mut Vec<String>) -> Result<(), JoinError> {
                let set = LocalSet::new();
                let shared = Rc::new(7);
                let of_set = set.spawn_local({
                    let shared = Rc::clone(&shared);
                    async move { *shared }
                });
                let mut joined = JoinSet::new();
                joined.spawn_local_on(async { 8 }, &set);
                let until = set
                    .run_until(async move { task::spawn_local(async move { *shared + 1 }).await });
                said.push(until.await?.to_string());
                let entered: task::LocalEnterGuard = set.enter();
                task::spawn_local(async {});
                drop(entered);
                set.await;
                said.push(of_set.await?.to_string());
                said.push(format!("{:?}", joined.join_next().await));
                Ok(())
            }

            pub(super) fn run() -> Vec<String> {
                let mut builder = tokio::runtime::Builder::new_multi_thread();
                let runtime = builder.enable_all().build().expect("a runtime");
                let mut said = Vec::new();
                runtime.block_on(async {
                    tasks(&mut said).await.expect("no task fails");
                    local(&mut said).await.expect("nor a local one");
                });
                let set = LocalSet::default();
                said.push(set.block_on(&runtime, async { "9".to_owned() }));
                said
            }
        }
    };
}

program!(with_tokio, tokio::task);
program!(with_ours, debug_async::task);

#[test]
fn one_program_with_either() {
    let said = with_ours::run();
    assert_eq!(said, with_tokio::run());
    assert_eq!(said.len(), 13, "{said:?}");
}

/// What tokio has under `--cfg tokio_unstable` and with its feature `tracing`.
#[cfg(all(tokio_unstable, feature = "tracing"))]
mod unstable {
    use debug_async::report::{ReportKind, set_hook};
    use debug_async::task::{self, Builder, JoinSet, LocalSet};
    use tokio::runtime::{Handle, UnhandledPanic};

    async fn fails() -> Result<u32, u32> {
        Err(1)
    }

    #[test]
    fn builders_give_names() {
        static SAID: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
        set_hook(Box::new(|report| {
            if report.kind() == ReportKind::UnretrievedError {
                let name = report.name().unwrap_or_default().to_owned();
                SAID.lock().expect("no panic").push(name);
            }
        }));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let mut set = LocalSet::new();
        set.unhandled_panic(UnhandledPanic::Ignore);
        set.block_on(&runtime, async {
            let here = Handle::current();
            let named = |name: &'static str| Builder::new().name(name);
            drop(named("a").spawn(fails()));
            drop(named("b").spawn_on(fails(), &here));
            drop(named("c").spawn_local(fails()));
            drop(named("d").spawn_blocking(|| Err::<u32, u32>(1)));
            drop(named("e").spawn_blocking_on(|| Err::<u32, u32>(1), &here));
            let of_set = LocalSet::new();
            drop(named("f").spawn_local_on(fails(), &of_set));
            let mut join: JoinSet<Result<u32, u32>> = task::join_set::JoinSet::new();
            join.build_task().name("g").spawn(fails()).expect("spawned");
            join.build_task()
                .name("h")
                .spawn_on(fails(), &here)
                .expect("spawned");
            join.build_task()
                .name("i")
                .spawn_local(fails())
                .expect("spawned");
            join.build_task()
                .name("j")
                .spawn_local_on(fails(), &of_set)
                .expect("spawned");
            join.build_task()
                .name("k")
                .spawn_blocking(|| Err(1))
                .expect("spawned");
            join.build_task()
                .name("l")
                .spawn_blocking_on(|| Err(1), &here)
                .expect("spawned");
            of_set.await;
            // Looked at, so not lost: those of the set are only to run.
            while join.join_next().await.is_some() {}
        });
        drop(runtime);
        debug_async::flush();
        let mut said = SAID.lock().expect("no panic").clone();
        said.sort();
        assert_eq!(said, ["a", "b", "c", "d", "e", "f"]);
    }
}
