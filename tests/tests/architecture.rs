//! The house keeps its plan: which room may know which, how large a file may be, and what no test may do.
//!
//! Each rule is a function over data, and is shown here to refuse what it should refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cargo_metadata::MetadataCommand;

/// From the lowest to the highest: a room knows only those before it.
const ROOMS: [&str; 6] = ["ak-store", "ak-policy", "ak-flows", "ak-providers", "ak-http", "ak-bins"];
/// Outside the house: may know everything, and nobody knows it.
const TESTS: &str = "ak-tests";
/// The features of `ak-store` that bring a concrete backend, and who may choose one.
const BACKENDS: [&str; 3] = ["sqlite", "postgres", "redis"];
const CHOOSERS: [&str; 2] = ["ak-bins", TESTS];

/// What the rules need to know about a member of the workspace.
#[derive(Clone, Default)]
struct Room {
    /// The dependencies of all sections, with the features that are asked for.
    dependencies: Vec<(String, Vec<String>)>,
    /// The room's own features, with what they switch on.
    features: BTreeMap<String, Vec<String>>,
}

type House = BTreeMap<String, Room>;

fn wrong_arrows(house: &House) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, room) in house {
        let floor = ROOMS.iter().position(|known| known == name);
        if floor.is_none() && name != TESTS {
            wrong.push(format!("{name} is not in the plan"));
        }
        for (target, features) in &room.dependencies {
            let allowed = match ROOMS.iter().position(|known| known == target) {
                Some(below) => name == TESTS || floor.is_some_and(|floor| below < floor),
                // Not a room: a crate from outside, or a member that nobody may know.
                None => !house.contains_key(target),
            };
            if !allowed {
                wrong.push(format!("{name} -> {target} goes upward"));
            }
            if target == "ak-store" && !CHOOSERS.contains(&name.as_str()) {
                let chosen = features.iter().filter(|feature| BACKENDS.contains(&feature.as_str()));
                wrong.extend(chosen.map(|feature| format!("{name} -> ak-store/{feature} chooses a backend")));
            }
        }
        // A feature of a room that switches one of the store on chooses as well.
        for (feature, switches) in room.features.iter().filter(|_| !CHOOSERS.contains(&name.as_str())) {
            for backend in BACKENDS {
                let passed_on = switches
                    .iter()
                    .any(|switch| [format!("ak-store/{backend}"), format!("ak-store?/{backend}")].contains(switch));
                let by_default = name == "ak-store" && feature == "default" && switches.iter().any(|switch| switch == backend);
                if passed_on || by_default {
                    wrong.push(format!("{name}'s feature {feature} chooses the backend {backend}"));
                }
            }
        }
    }
    wrong
}

/// The packages of a lock file that come from elsewhere and depend on one of ours.
fn strangers_that_know_us(lock: &str, ours: &BTreeSet<String>) -> Vec<String> {
    lock.split("[[package]]")
        .skip(1)
        .filter(|package| package.lines().any(|line| line.starts_with("source = ")))
        .flat_map(|package| {
            let name = package.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or_default();
            // A dependency's line is `"name",` or `"name version",`.
            let known = package.lines().filter_map(|line| line.strip_prefix(" \"")?.split(['"', ' ']).next());
            known.filter(|known| ours.contains(*known)).map(move |known| format!("{name} -> {known}"))
        })
        .collect()
}

/// What is wrong with one source file. `proves` says whether it belongs to a folder of tests.
fn faults(text: &str, proves: bool) -> Vec<String> {
    // In pieces, or this file would accuse itself.
    let (ignored, conditional, nap) = (concat!("#[", "ignore"), concat!("#[", "cfg_attr"), concat!("sle", "ep("));
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines >= 1_000 {
        found.push(format!("{lines} lines: a file has fewer than 1,000"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        if code.starts_with(ignored) || (code.starts_with(conditional) && code.contains(concat!("ign", "ore"))) {
            found.push(format!("line {number}: an ignored test proves nothing"));
        }
        if proves && code.contains(nap) {
            found.push(format!("line {number}: a test waits for the event or moves the clock, it does not sleep"));
        }
    }
    found
}

fn is_vague(folder: &str) -> bool {
    ["util", "utils", "common", "helper", "helpers"].contains(&folder)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn house() -> House {
    // Without the resolved graph nothing has to be fetched for it.
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .unwrap();
    let room = |package: &cargo_metadata::Package| Room {
        dependencies: package.dependencies.iter().map(|found| (found.name.clone(), found.features.clone())).collect(),
        features: package.features.clone().into_iter().collect(),
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), room(package))).collect()
}

/// Every file and folder of the workspace that people write, as paths from the root.
fn written(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        // Cargo marks its target folder, wherever it is, with the tag.
        let generated = name == ".git" || name == "target" || name == "node_modules" || path.join("CACHEDIR.TAG").exists();
        if generated || kind.is_symlink() {
            continue;
        }
        found.push(path.strip_prefix(root()).unwrap().to_owned());
        if kind.is_dir() {
            written(&path, found);
        }
    }
}

fn workspace() -> Vec<PathBuf> {
    let mut found = Vec::new();
    written(&root(), &mut found);
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn rooms_know_only_the_rooms_below() {
    let house = house();
    assert_eq!(house.len(), ROOMS.len() + 1, "{:?}", house.keys());
    assert_eq!(wrong_arrows(&house), Vec::<String>::new());
}

#[test]
fn no_crate_from_outside_depends_on_ours() {
    let ours = house().into_keys().collect();
    assert_eq!(strangers_that_know_us(&text(Path::new("Cargo.lock")), &ours), Vec::<String>::new());
}

#[test]
fn every_source_file_is_small_and_every_test_runs() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in workspace() {
        let source = ["rs", "ts", "tsx", "js", "mjs", "css", "html", "sql", "sh", "py"];
        if path.extension().is_none_or(|extension| !source.iter().any(|known| extension == *known)) {
            continue;
        }
        seen += 1;
        let proves = path.components().any(|part| part.as_os_str() == "tests");
        wrong.extend(faults(&text(&path), proves).into_iter().map(|fault| format!("{}: {fault}", path.display())));
    }
    assert!(seen > 20, "only {seen} files: the walk does not see the workspace");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_folder_is_a_drawer_for_everything() {
    let vague = workspace().into_iter().filter(|path| root().join(path).is_dir());
    let vague: Vec<_> = vague.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_vague)).collect();
    assert_eq!(vague, Vec::<PathBuf>::new());
}

#[test]
fn the_lock_file_is_committed() {
    assert!(root().join("Cargo.lock").is_file());
    // A copy without its history (an archive, a container's build context) cannot tell more.
    if root().join(".git").exists() {
        let listed = Command::new("git")
            .args(["-c", "safe.directory=*", "ls-files", "--error-unmatch", "Cargo.lock"])
            .current_dir(root())
            .stdout(Stdio::null())
            .status();
        assert!(listed.unwrap().success(), "Cargo.lock is not in git");
    }
}

/// A house as planned, to be spoilt by the tests below.
fn plan() -> House {
    let mut house: House = BTreeMap::new();
    for (floor, name) in ROOMS.iter().enumerate() {
        let dependencies = ROOMS.iter().take(floor).map(|below| ((*below).to_owned(), Vec::new())).collect();
        house.insert((*name).to_owned(), Room { dependencies, ..Room::default() });
    }
    house.insert(TESTS.to_owned(), Room { dependencies: depends("ak-bins", &[]), ..Room::default() });
    house
}

fn depends(name: &str, features: &[&str]) -> Vec<(String, Vec<String>)> {
    vec![(name.to_owned(), features.iter().map(|feature| (*feature).to_owned()).collect())]
}

#[track_caller]
fn refused(spoil: impl FnOnce(&mut House), expected: &str) {
    let mut house = plan();
    assert_eq!(wrong_arrows(&house), Vec::<String>::new());
    spoil(&mut house);
    assert_eq!(wrong_arrows(&house), [expected]);
}

#[test]
fn a_wrong_arrow_is_refused() {
    let add = |house: &mut House, from: &str, to: &str, features: &[&str]| {
        house.entry(from.to_owned()).or_default().dependencies.extend(depends(to, features));
    };
    refused(|house| add(house, "ak-store", "ak-flows", &[]), "ak-store -> ak-flows goes upward");
    refused(|house| add(house, "ak-http", "ak-http", &[]), "ak-http -> ak-http goes upward");
    refused(|house| add(house, "ak-bins", TESTS, &[]), "ak-bins -> ak-tests goes upward");
    refused(|house| add(house, "ak-misc", "serde", &[]), "ak-misc is not in the plan");
    refused(|house| add(house, "ak-http", "ak-store", &["config", "sqlite"]), "ak-http -> ak-store/sqlite chooses a backend");
}

#[test]
fn a_backend_behind_a_feature_is_refused() {
    let feature = |house: &mut House, room: &str, name: &str, switch: &str| {
        house.entry(room.to_owned()).or_default().features.insert(name.to_owned(), vec![switch.to_owned()]);
    };
    refused(|house| feature(house, "ak-http", "big", "ak-store/postgres"), "ak-http's feature big chooses the backend postgres");
    refused(|house| feature(house, "ak-flows", "big", "ak-store?/redis"), "ak-flows's feature big chooses the backend redis");
    refused(|house| feature(house, "ak-store", "default", "sqlite"), "ak-store's feature default chooses the backend sqlite");
    let mut house = plan();
    feature(&mut house, "ak-bins", "big", "ak-store/postgres");
    feature(&mut house, "ak-store", "sqlite", "dep:sqlx");
    assert_eq!(wrong_arrows(&house), Vec::<String>::new());
}

#[test]
fn a_stranger_that_knows_us_is_refused() {
    let ours = BTreeSet::from(["ak-store".to_owned()]);
    let own = "[[package]]\nname = \"ak-policy\"\ndependencies = [\n \"ak-store\",\n]\n";
    let stranger =
        "[[package]]\nname = \"odd\"\nsource = \"registry+x\"\ndependencies = [\n \"ak-store 0.1.0\",\n \"serde\",\n]\n";
    assert_eq!(strangers_that_know_us(own, &ours), Vec::<String>::new());
    assert_eq!(strangers_that_know_us(&format!("{own}\n{stranger}"), &ours), ["\"odd\" -> ak-store"]);
}

#[test]
fn a_fault_in_a_file_is_found() {
    let nap = concat!("    tokio::time::sle", "ep(second).await;");
    assert_eq!(faults(&"x\n".repeat(999), true), Vec::<String>::new());
    assert_eq!(faults(&"x\n".repeat(1_000), false).len(), 1);
    assert_eq!(faults(concat!("#[test]\n#[", "ignore = \"slow\"]\nfn f() {}"), false).len(), 1);
    assert_eq!(faults(concat!("#[", "cfg_attr(miri, ignore)]"), false).len(), 1);
    assert_eq!((faults(nap, true).len(), faults(nap, false).len()), (1, 0));
    assert_eq!(faults(concat!("// never sle", "ep()"), true), Vec::<String>::new());
    assert!(is_vague("utils") && is_vague("helpers") && !is_vague("records"));
}
