//! Single runs that were wrong once, without chance.

use crate::{
    model::{
        ids::{NodeId, SignalId, SocketAddress, SocketId, VisitorKey},
        json::Json,
        signal::{Message, Target},
        timeline::PageEnd,
    },
    presence::visitor::{
        Rules, Visitor,
        command::{Command, Connect, Departure, Submission},
        effect::Effect,
    },
    store::shared::{
        LATE_MS,
        simulation::{Stage, World, random},
    },
};

/// Nobody listens.
struct Silence;

impl Stage<Visitor> for Silence {
    fn delivered(&mut self, _: NodeId, _: VisitorKey, _: Vec<Effect>) {}
}

/// Two nodes, and one visitor.
struct Scene {
    world: World<Visitor, Silence>,
    key: VisitorKey,
}

impl Scene {
    fn new() -> Self {
        let rules = Rules { late_ms: LATE_MS, ..Rules::USUAL };
        let key = VisitorKey { group: "1".parse().unwrap(), visitor: "v".parse().unwrap() };
        let mut scene = Self { world: World::new(random(0), 2, (100, 100), rules, Silence), key };
        scene.settles();
        scene
    }

    fn settles(&mut self) {
        self.world.now = self.world.now + 10;
        self.world.settle();
    }

    fn socket(&self, at: usize, number: u64) -> SocketAddress {
        SocketAddress { node: self.world.nodes[at].id, socket: SocketId(number) }
    }

    fn submits(&mut self, at: usize, command: Command) {
        self.world.submit(at, self.key.clone(), command, Box::new(|_| ()));
    }

    fn connects(&mut self, at: usize, number: u64) -> SocketAddress {
        let socket = self.socket(at, number);
        let connect = Connect {
            socket,
            tab: format!("t{number}").parse().unwrap(),
            page: format!("p{number}").parse().unwrap(),
            accepted: self.world.now,
            visible: true,
            listening: true,
            seen: Vec::new(),
            data: None,
            from: None,
        };
        self.submits(at, Command::Connect(Box::new(connect)));
        socket
    }

    fn closes(&mut self, socket: SocketAddress, departure: Departure) {
        let at = usize::try_from(socket.node.node).unwrap();
        self.submits(at, Command::Close { socket, departure, cause: PageEnd::Lost });
    }

    fn attaches(&mut self, at: usize) {
        let watcher = self.socket(at, 100);
        self.submits(at, Command::Attach { watcher, since: None });
    }

    fn signals(&mut self, at: usize) {
        let id = SignalId::from_u128(u128::from(self.world.now.0) << 64);
        let (message, target) = (Message::Signal { data: Json::of(&1) }, Target::All);
        let submission = Submission { id, message, target, key: None, sender: None };
        self.submits(at, Command::Signal(Box::new(submission)));
    }

    /// The server loses all, and one node alone says again what it knows, does this, and comes to rest.
    fn goes_on_alone(&mut self, at: usize, does: impl FnOnce(&mut Self)) {
        self.world.flush();
        self.world.renew(at);
        does(self);
        for _ in 0..100 {
            self.world.now = self.world.now + 10;
            self.world.conclude(at);
            self.world.serve(at);
            self.world.hear(at);
            self.world.be_answered(at);
        }
    }

    fn sockets(&self) -> Vec<SocketAddress> {
        self.world.record(&self.key).iter().flat_map(Visitor::sockets).collect()
    }

    /// A page of node 0 went, which node 1 does not know when the server has lost it, behind what comes `before`. What node 1
    /// then does comes first.
    fn with_a_page_that_went(
        before: impl FnOnce(&mut Self),
        does: impl FnOnce(&mut Self),
    ) -> (Self, SocketAddress) {
        let mut scene = Self::new();
        let went = scene.connects(0, 1);
        scene.settles();
        scene.attaches(1);
        scene.settles();
        scene.closes(went, Departure::Gone);
        scene.settles();
        assert!(scene.sockets().is_empty());
        before(&mut scene);
        let mut there = None;
        scene.goes_on_alone(1, |scene| there = Some(scene.connects(1, 2)));
        let there = there.unwrap();
        assert_eq!(scene.sockets(), [went, there], "node 1 knows no better");
        does(&mut scene);
        (scene, there)
    }
}

#[test]
fn a_page_that_went_does_not_come_back_when_its_node_looks_at_the_record() {
    let (mut scene, there) = Scene::with_a_page_that_went(|_| (), |_| ());
    scene.attaches(0);
    scene.settles();
    assert_eq!(scene.sockets(), [there]);
}

#[test]
fn a_page_that_went_does_not_come_back_when_its_node_is_told_something_for_it() {
    let hears_first = |scene: &mut Scene| {
        // Node 0 says what it knows, and hears of a signal for its page, with the record, before it looks.
        scene.world.renew(0);
        scene.world.serve(0);
        scene.world.be_answered(0);
        scene.signals(1);
    };
    let (mut scene, there) = Scene::with_a_page_that_went(|_| (), hears_first);
    scene.settles();
    scene.world.check_held(0);
    scene.settles();
    assert_eq!(scene.sockets(), [there]);
}

#[test]
fn a_page_that_went_does_not_come_back_when_a_later_one_may_have_come_before_the_loss() {
    let comes_in_vain = |scene: &mut Scene| {
        let came = scene.connects(0, 3);
        scene.world.ask_in_vain(0);
        scene.closes(came, Departure::Gone);
    };
    let (mut scene, there) = Scene::with_a_page_that_went(comes_in_vain, |_| ());
    let next = scene.connects(0, 4);
    scene.settles();
    assert_eq!(scene.sockets(), [there, next]);
}

#[test]
fn who_was_told_gone_before_a_loss_is_told_there_when_the_late_node_says_so() {
    let mut scene = Scene::new();
    let went = scene.connects(0, 1);
    scene.settles();
    scene.attaches(1);
    scene.settles();
    scene.closes(went, Departure::Disconnect);
    scene.settles();
    let epoch = |scene: &Scene| scene.world.record(&scene.key).unwrap().explain().epoch;
    let told_gone = epoch(&scene);
    let mut there = None;
    scene.goes_on_alone(1, |scene| there = Some(scene.connects(1, 2)));
    assert_eq!(epoch(&scene), told_gone, "node 1 knows of no leave");
    scene.settles();
    assert_eq!(scene.sockets(), [there.unwrap()]);
    assert!(epoch(&scene) > told_gone);
}
