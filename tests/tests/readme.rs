//! What README says is so.

use ak_store::config::Settings;
use ak_tests::contract::contract;
use ak_tests::server::Server;
use serde_json::json;

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

#[tokio::test]
async fn the_share_of_the_contract_in_readme_is_what_the_server_answers() {
    let server = Server::start().await;
    let admin = server.admin();
    let (mut all, mut answered) = (0, 0);
    for (method, path) in contract().operations() {
        let names_an_object = path.contains('{');
        let parts = path.split('/').map(|part| if part.starts_with('{') { "00000000-0000-0000-0000-000000000000" } else { part });
        let path = format!("/api/v3{}", parts.collect::<Vec<_>>().join("/"));
        let method: reqwest::Method = method.to_uppercase().parse().expect("a method");
        let reply = admin.send(|http, url| http.request(method, url).json(&json!({})), &path).await;
        let unknown = reply.status == 405 || (reply.status == 404 && (!names_an_object || reply.body["detail"] == "Not found."));
        all += 1;
        answered += u32::from(!unknown);
    }
    let share = format!("{answered} of the contract's {all} operations");
    assert!(readme().contains(&share), "README should say: {share}");
}
