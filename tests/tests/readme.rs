//! What README says is so.

use ak_store::config::Settings;

fn readme() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    std::fs::read_to_string(path).expect("README.md")
}

#[test]
fn the_settings_in_readme_are_those_of_the_program() {
    let readme = readme();
    let (_, rest) = readme.split_once("<!-- settings -->\n").expect("the place of the settings");
    let (found, _) = rest.split_once("<!-- /settings -->").expect("its end");
    let wanted = Settings::reference();
    assert_eq!(found.trim(), wanted.trim(), "put the output of `ak settings` there");
}

#[test]
fn every_path_that_readme_links_to_is_there() {
    let links = readme();
    let paths = links.split("](").skip(1).filter_map(|rest| rest.split(')').next()).filter(|to| !to.starts_with('#'));
    for path in paths {
        let file = format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&file).exists(), "{path}");
    }
}

#[test]
fn every_field_that_is_still_to_come_is_listed() {
    let readme = readme();
    let registry = ak_bins::registry().expect("the kinds fit together");
    let later = registry.kinds().iter().flat_map(|kind| kind.fields.iter().filter(|f| f.later).map(|f| f.name.to_string()));
    for field in later {
        assert!(readme.contains(&format!("`{field}`")), "README does not say that {field} is still to come");
    }
}
