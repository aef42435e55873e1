//! A live list as its reader knows it.

use serde_json::{Value, json};

use super::Socket;

/// Reads the list with the number 1, as the protocol says.
#[derive(Debug, Default)]
pub struct List {
    pub rows: Vec<Value>,
    pub count: u64,
    pub total: u64,
    pub more: bool,
    pub messages: u32,
}

impl List {
    /// Opens a list, and reads until the window is whole.
    pub async fn open(agent: &mut Socket, mut query: Value) -> Self {
        query["type"] = json!("list");
        query["list"] = json!(1);
        agent.ok(query).await;
        let mut list = Self::default();
        list.hear(agent).await;
        while list.more {
            list.hear(agent).await;
        }
        list
    }

    /// Takes the next change in.
    pub async fn hear(&mut self, agent: &mut Socket) {
        let change = agent.hear_a("rows").await;
        assert_eq!(change["list"], 1, "{change}");
        if change["reset"] == true {
            self.rows.clear();
        }
        let of = |name: &str| change[name].as_array().cloned().unwrap_or_default();
        let (remove, put) = (of("remove"), of("put"));
        self.rows.retain(|row| {
            let id = &row["visitorid"];
            !remove.contains(id) && !put.iter().any(|put| put["row"]["visitorid"] == *id)
        });
        for put in put {
            let at = usize::try_from(put["at"].as_u64().unwrap()).unwrap();
            self.rows.insert(at, put["row"].clone());
        }
        self.count = change["count"].as_u64().unwrap();
        self.total = change["total"].as_u64().unwrap();
        self.more = change["more"] == true;
        self.messages += 1;
    }

    /// Reads until it is so.
    pub async fn hear_until(&mut self, agent: &mut Socket, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            self.hear(agent).await;
        }
    }

    /// Who is in the window.
    pub fn ids(&self) -> Vec<&str> {
        self.rows.iter().map(|row| row["visitorid"].as_str().unwrap()).collect()
    }

    /// A visitor in the window.
    pub fn row(&self, visitor: &str) -> &Value {
        let row = self.rows.iter().find(|row| row["visitorid"] == visitor);
        row.unwrap_or_else(|| panic!("{visitor} is not in {self:?}"))
    }
}
