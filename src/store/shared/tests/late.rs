//! A node that says what it knows after the others have gone on without it.

use super::{nodes::MemberOf, *};

/// Long enough that nobody is ended here.
const LONG: Duration = Duration::from_secs(30);
/// So far ahead goes the clock of the server that is lost, in microseconds.
const AHEAD: i64 = 3_600_000_000;

fn connection(server: &ServerUrl) -> redis::Connection {
    server.client().unwrap().get_connection().unwrap()
}

/// The records that the server has, and how many.
fn copy(server: &ServerUrl) -> Vec<(String, Vec<u8>)> {
    let mut to = connection(server);
    let all = format!("{}journal:*", server.prefix());
    let mut names: Vec<String> = redis::cmd("KEYS").arg(all).query(&mut to).unwrap();
    names.push(format!("{}number:journal", server.prefix()));
    let dump = |name: String| {
        let value = redis::cmd("DUMP").arg(&name).query(&mut to).unwrap();
        (name, value)
    };
    names.into_iter().map(dump).collect()
}

/// Another server goes on, which has that of them; all else it has, too, but for the mark.
fn go_on_with(server: &ServerUrl, had: &[(String, Vec<u8>)]) {
    let mut to = connection(server);
    for (name, value) in had {
        let mut restore = redis::cmd("RESTORE");
        restore.arg(name).arg(0).arg(value).arg("REPLACE").exec(&mut to).unwrap();
    }
    lose_the_mark(server);
}

fn lose_the_mark(server: &ServerUrl) {
    let mark = format!("{}nodes:mark", server.prefix());
    let lost: u32 = redis::cmd("DEL").arg(mark).query(&mut connection(server)).unwrap();
    assert_eq!(lost, 1, "the data have a mark");
}

/// From here on the versions of a record are those of a clock that goes ahead.
fn put_ahead(server: &ServerUrl, key: u32) {
    let name = format!("{}journal:{key}", server.prefix());
    let mut put = redis::cmd("HINCRBY");
    put.arg(name).arg("v").arg(AHEAD).exec(&mut connection(server)).unwrap();
}

/// Two nodes, of which the second one comes late after a loss.
struct Late<const IN_LEAVES: bool> {
    one: MemberOf<IN_LEAVES>,
    two: MemberOf<IN_LEAVES>,
    /// The second one's.
    wire: Wire,
    server: ServerUrl,
}

impl<const IN_LEAVES: bool> Late<IN_LEAVES> {
    fn begin() -> Option<Self> {
        let server = server()?;
        let (clock, wire) = (Clock::manual(Timestamp(1_000)), Wire::to(&server));
        let begin =
            |server: &ServerUrl, node| MemberOf::with_lease(server, node, &clock, 10_000, LONG);
        let (one, two) = (begin(&server, 1), begin(&server.by(wire.port), 2));
        Some(Self { one, two, wire, server })
    }

    /// What else was written is lost, and the one who knows of it is not there to say it again.
    fn goes_on_with(&self, had: &[(String, Vec<u8>)]) {
        self.wire.is_broken.store(true, Ordering::SeqCst);
        self.wire.cut();
        go_on_with(&self.server, had);
    }

    fn comes_back(&self) {
        self.wire.is_broken.store(false, Ordering::SeqCst);
    }
}

fn a_late_node_undoes_nothing<const IN_LEAVES: bool>() {
    let Some(late) = Late::<IN_LEAVES>::begin() else { return };
    let Late { one, two, server, .. } = &late;
    let entries = |of: &MemberOf<IN_LEAVES>, key| of.read(key).unwrap().unwrap().entries;
    for key in [1, 3] {
        one.write(key, 1, Hearers::Here).unwrap();
    }
    for key in [2, 4] {
        one.submit(key, Command::Hold(one.id)).unwrap();
    }
    let had = copy(server);
    (1..=4).for_each(|key| put_ahead(server, key));
    let [ahead, _] = [1, 3].map(|key| two.write(key, 2, Hearers::Here).unwrap().version);
    two.submit(2, Command::Hold(two.id)).unwrap();
    two.submit(4, Command::Hold(two.id)).unwrap();
    two.submit(4, Command::LetGo(one.id)).unwrap();
    two.submit(4, Command::LetGo(two.id)).unwrap();
    late.goes_on_with(&had);
    let since = one.write(1, 3, Hearers::Here).unwrap();
    assert_eq!(since.reply, Reply::Place(2));
    assert!(since.version < ahead, "the clock went back");
    one.submit(2, Command::LetGo(one.id)).unwrap();
    one.submit(4, Command::Hold(two.id)).unwrap();
    late.comes_back();
    // What was written or ended since stays so, and what was not is as the late one knows it.
    let check = |of: &MemberOf<IN_LEAVES>, last: &[u64]| {
        assert_eq!(entries(of, 1), [&[1, 3], last].concat());
        assert!(of.read(2).unwrap().is_none(), "it has ended");
        assert_eq!(entries(of, 3), [1, 2]);
        assert_eq!(of.read(4).unwrap().unwrap().holders(), [one.id, two.id]);
    };
    assert_eq!(entries(two, 3), [1, 2]);
    // Nor does it say again, after the next loss, what it should have forgotten.
    lose_the_mark(server);
    assert_eq!(entries(two, 3), [1, 2]);
    check(one, &[]);
    check(two, &[]);
    assert_eq!(two.write(1, 4, Hearers::Here).unwrap().reply, Reply::Place(3));
    check(one, &[4]);
    assert_eq!(bound::number(server), (3, 3));
}

/// The late node misses all that happens under one mark, and says what it knows under the next.
fn two_losses_undo_nothing<const IN_LEAVES: bool>() {
    let Some(late) = Late::<IN_LEAVES>::begin() else { return };
    let Late { one, two, server, .. } = &late;
    let entries = |of: &MemberOf<IN_LEAVES>, key| of.read(key).unwrap().unwrap().entries;
    for key in [1, 2] {
        one.write(key, 1, Hearers::Here).unwrap();
    }
    let had = copy(server);
    let ahead = [1, 2].map(|key| {
        put_ahead(server, key);
        two.write(key, 2, Hearers::Here).unwrap().version
    });
    late.goes_on_with(&had);
    for (key, ahead) in [1, 2].into_iter().zip(ahead) {
        assert!(one.write(key, 3, Hearers::Here).unwrap().version < ahead, "the clock went back");
    }
    // One of the two records is lost with the mark, of the other one all that was written is there.
    let name = format!("{}journal:1", server.prefix());
    redis::cmd("DEL").arg(name).exec(&mut connection(server)).unwrap();
    lose_the_mark(server);
    // Who has gone on alone is right; who is waited for, but too late, is not.
    assert_eq!([1, 2].map(|key| entries(one, key)), [[1, 3], [1, 3]]);
    late.comes_back();
    for key in [1, 2] {
        assert_eq!(two.write(key, 4, Hearers::Here).unwrap().reply, Reply::Place(3));
        assert_eq!((entries(one, key), entries(two, key)), (vec![1, 3, 4], vec![1, 3, 4]));
    }
}

/// The clock of the server that goes on is behind, so that it gives a number which the one before had given, too.
fn a_number_that_was_given_twice_deceives_nobody<const IN_LEAVES: bool>() {
    let Some(late) = Late::<IN_LEAVES>::begin() else { return };
    let Late { one, two, server, .. } = &late;
    one.write(1, 1, Hearers::Here).unwrap();
    put_ahead(server, 1);
    let had = copy(server);
    let lost = two.write(1, 2, Hearers::Here).unwrap().version;
    late.goes_on_with(&had);
    assert_eq!(one.write(1, 3, Hearers::Here).unwrap().version, lost, "given twice");
    late.comes_back();
    assert_eq!(two.write(1, 4, Hearers::Here).unwrap().reply, Reply::Place(3));
    for node in [one, two] {
        assert_eq!(node.read(1).unwrap().unwrap().entries, [1, 3, 4]);
    }
}

#[test]
fn a_version_of_another_history_with_the_same_number_is_another_one() {
    a_number_that_was_given_twice_deceives_nobody::<false>();
}

#[test]
fn so_it_is_in_leaves() {
    a_number_that_was_given_twice_deceives_nobody::<true>();
}

#[test]
fn who_comes_late_after_two_losses_undoes_nothing_that_was_written_between() {
    two_losses_undo_nothing::<false>();
}

#[test]
fn nor_of_records_in_leaves() {
    two_losses_undo_nothing::<true>();
}

#[test]
fn who_comes_late_undoes_nothing_that_was_written_since() {
    a_late_node_undoes_nothing::<false>();
}

#[test]
fn nor_in_records_in_leaves() {
    a_late_node_undoes_nothing::<true>();
}
