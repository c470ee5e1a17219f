//! Messages, log lines and events.

use rhai::{Dynamic, Map};

use crate::policy::PolicyEffect;
use crate::script::run::Run;
use crate::script::table::Table;
use crate::script::value::{Wrong, to_json, to_object};

/// Where scripts log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logger;

fn log(level: &'static str, event: &str, more: Option<&Map>) -> Result<(), Wrong> {
    let run = Run::current()?;
    let mut line = event.to_owned();
    for (name, value) in more.into_iter().flatten() {
        let value = to_json(value).map_or_else(|_| value.type_name().to_owned(), |value| value.to_string());
        line.push_str(&format!(" {name}={value}"));
    }
    run.log(level, line);
    Ok(())
}

fn create_event(action: &str, more: &Map) -> Result<(), Wrong> {
    let known = KNOWN_ACTIONS.contains(&action);
    // An action of one's own is marked as such, so that it cannot be taken for one of the product's.
    let action = if known || action.starts_with("custom_") { action.to_owned() } else { format!("custom_{action}") };
    Run::current()?.effect(PolicyEffect::Event { action, context: to_object(more)? })
}

/// The product's own actions.
const KNOWN_ACTIONS: [&str; 4] = ["suspicious_request", "configuration_error", "configuration_warning", "system_exception"];

/// Registers them.
pub(super) fn register(table: &mut Table) {
    table
        .function(
            "ak_message(message: String) -> bool",
            "Tells the person something when she is refused. Gives `false`.",
            |message: Dynamic| -> Result<bool, Wrong> {
                Run::current()?.message(message.to_string());
                Ok(false)
            },
        )
        .function(
            "ak_create_event(action: String)",
            "Notes an event. An action that is none of the product's gets `custom_` in front.",
            |action: &str| create_event(action, &Map::new()),
        )
        .function(
            "ak_create_event(action: String, context: Map)",
            "The same with what belongs to it: `ak_create_event(\"visit\", #{page: 1})`.",
            |action: &str, more: Map| create_event(action, &more),
        )
        .kind::<Logger>("Logger", "Writes log lines, which are shown with the decision.");
    level(table, "debug");
    level(table, "info");
    level(table, "warning");
    level(table, "error");
}

fn level(table: &mut Table, level: &'static str) {
    let doc = "Logs a line.";
    table
        .function(&format!("{level}(logger: Logger, event: String)"), doc, move |_: &mut Logger, event: Dynamic| {
            log(level, &event.to_string(), None)
        })
        .function(
            &format!("{level}(logger: Logger, event: String, more: Map)"),
            "Logs a line with names and values.",
            move |_: &mut Logger, event: Dynamic, more: Map| log(level, &event.to_string(), Some(&more)),
        );
}
