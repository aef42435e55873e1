//! A balancer in front of nodes. It sends a request where its cookie's value leads, as an answer with that value has shown,
//! and one without such a cookie to the next node in turn. Each node has an address of its own there, too.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A request that went through.
#[derive(Clone, Debug)]
pub struct Passed {
    /// The cookie's value.
    pub cookie: Option<String>,
    /// Whether it came by the address of its node.
    pub is_direct: bool,
    pub node: usize,
}

/// Carries one request a connection, for as long as the test's runtime runs.
pub struct Router {
    /// Where requests are balanced.
    pub address: SocketAddr,
    /// Of each node.
    pub direct: Vec<SocketAddr>,
    routes: Arc<Routes>,
}

struct Routes {
    cookie: &'static str,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    nodes: Vec<SocketAddr>,
    node_by_value: HashMap<String, usize>,
    turn: usize,
    passed: Vec<Passed>,
}

impl Router {
    /// In front of so many nodes, which can be told its addresses before they start.
    pub async fn start(cookie: &'static str, nodes: usize) -> Self {
        let routes = Arc::new(Routes { cookie, state: Mutex::default() });
        let address = routes.listen(None).await;
        let mut direct = Vec::new();
        for node in 0..nodes {
            direct.push(routes.listen(Some(node)).await);
        }
        Self { address, direct, routes }
    }

    /// Where the nodes are.
    pub fn leads_to(&self, nodes: impl IntoIterator<Item = SocketAddr>) {
        self.routes.state.lock().unwrap().nodes = nodes.into_iter().collect();
    }

    /// What went through, in order.
    pub fn passed(&self) -> Vec<Passed> {
        self.routes.state.lock().unwrap().passed.clone()
    }
}

impl Routes {
    async fn listen(self: &Arc<Self>, node: Option<usize>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (routes, address) = (Arc::clone(self), listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let routes = Arc::clone(&routes);
                tokio::spawn(async move { routes.carry(stream, node).await });
            }
        });
        address
    }

    async fn carry(&self, mut client: TcpStream, direct: Option<usize>) -> std::io::Result<()> {
        let Some((head, body)) = read_request(&mut client).await? else { return Ok(()) };
        let (node, address) = self.choose(values(&head, "cookie", self.cookie).pop(), direct);
        let mut server = TcpStream::connect(address).await?;
        let (first, rest) = head.split_once("\r\n").unwrap();
        server.write_all(format!("{first}\r\nconnection: close\r\n{rest}").as_bytes()).await?;
        server.write_all(&body).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        let text = String::from_utf8_lossy(&answer);
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        for value in values(head, "set-cookie", self.cookie) {
            let before = self.state.lock().unwrap().node_by_value.insert(value, node);
            assert!(before.is_none_or(|before| before == node), "two nodes have one name");
        }
        client.write_all(&answer).await
    }

    fn choose(&self, cookie: Option<String>, direct: Option<usize>) -> (usize, SocketAddr) {
        let mut state = self.state.lock().unwrap();
        let named = cookie.as_ref().and_then(|value| state.node_by_value.get(value).copied());
        let node = direct.or(named).unwrap_or_else(|| {
            state.turn += 1;
            state.turn % state.nodes.len()
        });
        state.passed.push(Passed { cookie, is_direct: direct.is_some(), node });
        (node, state.nodes[node])
    }
}

/// A request's head, with the line that ends it, and its body; none where the client has no more.
async fn read_request(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut read = Vec::new();
    loop {
        if let Some(at) = read.windows(4).position(|end| end == b"\r\n\r\n") {
            let body = read.split_off(at + 4);
            let head = String::from_utf8(read).unwrap();
            let length = headers(&head, "content-length").next();
            let length = length.map_or(0, |length| length.parse().unwrap());
            let mut body = body;
            while body.len() < length {
                if client.read_buf(&mut body).await? == 0 {
                    return Ok(None);
                }
            }
            return Ok(Some((head, body)));
        }
        if client.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    }
}

/// The values of a header.
fn headers<'a>(head: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    head.lines().filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The values that a header gives a cookie.
fn values(head: &str, name: &str, cookie: &str) -> Vec<String> {
    let pairs = headers(head, name).flat_map(|value| value.split(';'));
    let values = pairs.filter_map(|pair| pair.trim().split_once('='));
    values.filter(|(name, _)| *name == cookie).map(|(_, value)| value.to_owned()).collect()
}
