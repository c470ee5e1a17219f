//! Named values of the installation.

use serde_json::{Value, json};

use super::Pair;

/// A value is set, replaced, and set only where there is none.
pub async fn put_and_add(pair: Pair) {
    let mut tx = pair.write().await;
    let settings = tx.settings();
    assert_eq!(settings.lookup("id").await.unwrap(), None);
    settings.put("id", &json!({"a": [1, "ü"]})).await.unwrap();
    settings.put("other", &Value::Null).await.unwrap();
    assert_eq!(settings.add_if_absent("id", &json!(2)).await.unwrap(), json!({"a": [1, "ü"]}));
    assert_eq!(settings.add_if_absent("new", &json!(2)).await.unwrap(), json!(2));
    settings.put("id", &json!("second")).await.unwrap();
    tx.save().await.unwrap();
    let mut view = pair.read().await;
    assert_eq!(view.settings().lookup("id").await.unwrap(), Some(json!("second")));
    assert_eq!(view.settings().lookup("new").await.unwrap(), Some(json!(2)));
    assert_eq!(view.settings().lookup("other").await.unwrap(), Some(Value::Null));
    assert_eq!(view.settings().lookup("ID").await.unwrap(), None);
}
