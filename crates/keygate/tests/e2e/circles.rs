//! No modules of a crate need each other in a circle, a module and those below it aside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Ident, Item, Meta, UseTree, visit::Visit};
use tempfile::TempDir;
use walkdir::WalkDir;

/// How often a name may be handed on.
const MAX_HOPS: u8 = 8;

/// A module's path inside its crate, like `api` and `keys`.
type Module = Vec<String>;

/// What a file says of other modules.
#[derive(Default)]
struct Source {
    /// Paths into the crate, wherever they stand.
    paths: BTreeSet<Vec<String>>,
    /// Names that it has from elsewhere, and may hand on.
    imports: BTreeMap<String, Vec<String>>,
}

struct Reader<'a> {
    module: &'a Module,
    source: Source,
    /// Paths as they stand, which may begin with the name of an import.
    named: Vec<Vec<String>>,
}

impl Reader<'_> {
    /// A path from the crate's root, if it is one into the crate.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let supers = path.iter().take_while(|part| *part == "super").count();
        let rest = match path.first()?.as_str() {
            "crate" => return Some(path[1..].to_vec()),
            "super" => {
                let above = self.module.len().checked_sub(supers)?;
                [&self.module[..above], &path[supers..]].concat()
            }
            "self" => [self.module, &path[1..]].concat(),
            _ => return None,
        };
        Some(rest)
    }

    fn finish(mut self) -> Source {
        for path in std::mem::take(&mut self.named) {
            let by_import = || {
                let from = self.source.imports.get(path.first()?)?;
                Some([from, &path[1..]].concat())
            };
            let absolute = self.absolute(&path).or_else(by_import);
            self.source.paths.extend(absolute);
        }
        self.source
    }

    fn note_use(&mut self, before: &mut Vec<String>, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.note_use(before, &path.tree);
                before.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.note_use(before, tree);
                }
            }
            UseTree::Name(name) => self.note_import(before, &name.ident, &name.ident),
            UseTree::Rename(name) => self.note_import(before, &name.ident, &name.rename),
            UseTree::Glob(_) => {
                self.source.paths.extend(self.absolute(before));
            }
        }
    }

    fn note_import(&mut self, before: &[String], name: &Ident, bound: &Ident) {
        let mut path = before.to_vec();
        let mut bound = bound.to_string();
        if name != "self" {
            path.push(name.to_string());
        } else if let (true, Some(last)) = (bound == "self", before.last()) {
            bound.clone_from(last);
        }
        // A child is named without `self`.
        let absolute = self
            .absolute(&path)
            .unwrap_or_else(|| [self.module, &path[..]].concat());
        self.source.paths.insert(absolute.clone());
        self.source.imports.insert(bound, absolute);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes: &[Attribute] = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if attributes.iter().any(is_for_tests) {
            return;
        }
        syn::visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.note_use(&mut Vec::new(), &item.tree);
    }

    /// What stands in a macro's brackets is read as words.
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let text = call.tokens.to_string().replace(" :: ", "::");
        let words = text.split(|one: char| !(one.is_alphanumeric() || "_:".contains(one)));
        let paths = words.filter(|word| word.contains("::"));
        let paths = paths.map(|path| path.split("::").map(str::to_owned).collect());
        self.named.extend(paths);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts = path.segments.iter().map(|part| part.ident.to_string());
        self.named.push(parts.collect());
        syn::visit::visit_path(self, path);
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    let is_test = |meta: Meta| meta.path().is_ident("test");
    attribute.path().is_ident("cfg") && attribute.parse_args().is_ok_and(is_test)
}

/// The modules below a folder, by their path.
fn sources(folder: &Path) -> BTreeMap<Module, Source> {
    let files = WalkDir::new(folder).into_iter();
    let files = files.map(|file| file.expect("readable").into_path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let source = |path: PathBuf| {
        let module = path
            .strip_prefix(folder)
            .expect("below it")
            .with_extension("");
        let module = module
            .iter()
            .map(|part| part.to_string_lossy().into_owned());
        let mut module: Module = module.collect();
        if module == ["lib"] || module == ["main"] {
            module.clear();
        }
        let text = fs::read_to_string(&path).expect("readable");
        let file = syn::parse_file(&text).expect("it compiles");
        let mut reader = Reader {
            module: &module,
            source: Source::default(),
            named: Vec::new(),
        };
        reader.visit_file(&file);
        let source = reader.finish();
        (module, source)
    };
    files.map(source).collect()
}

/// The module in which what a path names is defined, whoever hands it on.
fn home(sources: &BTreeMap<Module, Source>, path: &[String], hops: u8) -> Module {
    let lengths = (0..=path.len()).rev();
    let mut prefixes = lengths.map(|length| path.split_at(length));
    let (module, rest) = prefixes
        .find(|(module, _)| sources.contains_key(*module))
        .expect("the root is one");
    let handed_on = rest
        .first()
        .and_then(|name| sources[module].imports.get(name));
    match handed_on {
        Some(from) if hops > 0 => home(sources, &[from, &rest[1..]].concat(), hops - 1),
        _ => module.to_vec(),
    }
}

/// Whom each module needs, apart from those above and below it.
fn needs(sources: &BTreeMap<Module, Source>) -> BTreeMap<&Module, BTreeSet<Module>> {
    let needs = sources.iter().map(|(module, source)| {
        let homes = source.paths.iter();
        let homes = homes.map(|path| home(sources, path, MAX_HOPS));
        let others = homes.filter(|other| !other.starts_with(module) && !module.starts_with(other));
        (module, others.collect())
    });
    needs.collect()
}

/// All that a module needs, at whatever remove.
fn reach<'a>(
    needs: &'a BTreeMap<&Module, BTreeSet<Module>>,
    from: &'a Module,
) -> BTreeSet<&'a Module> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(module) = next.pop() {
        next.extend(needs[module].iter().filter(|other| reached.insert(*other)));
    }
    reached
}

/// The modules below a folder that need each other, at whatever remove.
fn circles(folder: &Path) -> BTreeSet<Vec<String>> {
    let sources = sources(folder);
    let needs = needs(&sources);
    let all: BTreeMap<_, _> = needs
        .keys()
        .map(|module| (*module, reach(&needs, module)))
        .collect();
    let circle = |module: &Module| {
        let others = all[module]
            .iter()
            .filter(|other| all[**other].contains(module));
        others.map(|module| module.join("::")).collect::<Vec<_>>()
    };
    let circles = needs.keys().map(|module| circle(module));
    circles.filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn no_modules_need_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = ["crates", "examples"].into_iter().flat_map(|folder| {
        let folder = fs::read_dir(root.join(folder)).expect("readable");
        folder.map(|entry| entry.expect("readable").path())
    });
    let crates = crates.chain(["bench", "xtask"].map(|name| root.join(name)));
    for folder in crates.map(|path| path.join("src")) {
        assert_eq!(circles(&folder), BTreeSet::new(), "{}", folder.display());
    }
}

#[test]
fn modules_that_need_each_other_are_found() {
    let folder = TempDir::new().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("it has one")).expect("made");
        fs::write(path, text).expect("written");
    };
    write("lib.rs", "mod one; mod three; mod two; pub use two::Two;");
    write("one.rs", "mod below; use crate::Two; fn one(_: Two) {}");
    write("one/below.rs", "use super::one;");
    write("two.rs", "pub struct Two(crate::three::Three);");
    write(
        "three.rs",
        "pub struct Three; #[cfg(test)] mod tests { use crate::one; }",
    );
    assert_eq!(circles(folder.path()), BTreeSet::new());
    write(
        "three.rs",
        "pub struct Three; fn three() { super::one::one() }",
    );
    let circle = ["one", "three", "two"].map(str::to_owned);
    assert_eq!(circles(folder.path()), BTreeSet::from([circle.to_vec()]));
}
