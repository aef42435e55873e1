//! A reader of a group's events by server-sent events.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Server, soon};

/// One event of a stream, or where the reader is (`kind` is empty then).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub id: String,
    pub kind: String,
    pub data: Value,
}

pub struct Stream {
    answer: reqwest::Response,
    unread: String,
    blocks: VecDeque<Told>,
    /// The id that a client would send when it comes back.
    pub last_id: String,
}

impl Server {
    /// Opens a stream of the first group's events, behind `last_id` if there is one.
    pub async fn stream(&self, query: &str, last_id: Option<&str>) -> Stream {
        self.stream_with(&Self::token(), query, last_id).await
    }

    pub async fn stream_with(&self, token: &str, query: &str, last_id: Option<&str>) -> Stream {
        let url = format!("http://{}/v1/groups/12345/events{query}", self.address());
        let client = reqwest::Client::new();
        let mut request = client.get(url).bearer_auth(token).header("accept", "text/event-stream");
        if let Some(last_id) = last_id {
            request = request.header("last-event-id", last_id);
        }
        let answer = soon("the stream", request.send()).await.unwrap();
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let (unread, blocks, last_id) = (String::new(), VecDeque::new(), String::new());
        let mut stream = Stream { answer, unread, blocks, last_id };
        // From the first block on nothing is missed.
        let first = stream.block().await.unwrap();
        assert!(first.kind.is_empty() && !first.id.is_empty(), "{first:?}");
        stream
    }
}

impl Stream {
    /// The next block; `None` at the end of the stream.
    pub async fn block(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.blocks.pop_front() {
                if !told.id.is_empty() {
                    self.last_id.clone_from(&told.id);
                }
                return Some(told);
            }
            let chunk = soon("a chunk", self.answer.chunk()).await.unwrap()?;
            self.unread.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                self.blocks.push_back(read(block));
                self.unread = rest.to_owned();
            }
        }
    }

    /// The next event.
    pub async fn told(&mut self) -> Told {
        loop {
            let told = self.block().await.expect("an event, not the end");
            if !told.kind.is_empty() {
                return told;
            }
        }
    }

    /// The next event is of this type, with this data.
    pub async fn event(&mut self, kind: &str, data: Value) -> Told {
        let told = self.told().await;
        assert_eq!((told.kind.as_str(), &told.data["data"]), (kind, &data), "{told:?}");
        assert_eq!(told.data["type"], kind);
        told
    }

    /// The events until one with this data has come, and that one.
    pub async fn until(&mut self, data: Value) -> Vec<Told> {
        let mut all = Vec::new();
        loop {
            all.push(self.told().await);
            if all.last().unwrap().data["data"] == data {
                return all;
            }
        }
    }
}

fn read(block: &str) -> Told {
    let mut told = Told::default();
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => id.clone_into(&mut told.id),
            Some(("event", kind)) => kind.clone_into(&mut told.kind),
            Some(("data", data)) => told.data = serde_json::from_str(data).unwrap(),
            Some(("retry", time)) => assert!(time.parse::<u64>().is_ok(), "{line}"),
            _ => assert_eq!(line, ":", "{block}"),
        }
    }
    told
}
