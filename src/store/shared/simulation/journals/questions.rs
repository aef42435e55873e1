//! What nodes ask the server while nothing breaks, and how much of it waits.

use super::*;
use crate::store::shared::core::MOST_IN_ALL;

#[test]
fn who_is_told_of_a_transition_answers_without_a_look() {
    let mut world = World::<Journal, Said>::new(random(0), 2, (100, 100), (), Said::default());
    let nodes: Vec<NodeId> = world.nodes.iter().map(|node| node.id).collect();
    let write = |world: &mut World<Journal, Said>, at: usize, entry: u64| {
        let hearers = Hearers::Nodes(nodes.clone());
        world.submit(at, 1, Command::Write { entry, hearers }, Box::new(|_| ()));
        let questions = world.nodes[at].up.len();
        world.serve(at);
        let is_made = world.record(&1);
        world.settle();
        (questions, is_made)
    };
    world.settle();
    // Each reads the record once.
    (0..2).for_each(|at| drop(write(&mut world, at, at as u64)));
    for entry in 2..10 {
        let (questions, journal) = write(&mut world, usize::try_from(entry % 2).unwrap(), entry);
        assert_eq!((questions, journal.unwrap().entries.last()), (1, Some(&entry)));
    }
}

#[test]
fn what_waits_for_all_records_together_is_bounded() {
    let mut world = World::<Journal, Said>::new(random(0), 1, (2, 100_000), (), Said::default());
    world.conclude(0);
    let submit = |world: &mut World<Journal, Said>, key: u32| {
        let said = Arc::clone(&world.stage);
        let sink = Box::new(move |result| {
            said.lock().answers.insert(key.into(), result);
        });
        let command = Command::Write { entry: key.into(), hearers: Hearers::Here };
        world.submit(0, key, command, sink);
    };
    let most = u32::try_from(MOST_IN_ALL / 2).unwrap();
    (0..most).for_each(|key| submit(&mut world, key));
    assert!(world.stage.lock().answers.is_empty(), "each waits, and is looked for");
    submit(&mut world, most);
    let last = world.stage.lock().answers.get(&most.into()).copied();
    assert_eq!(last, Some(Err(Refusal::Overloaded)));
    let mut last = Vec::new();
    world.nodes[0].core.end(&mut last);
    assert_eq!(last.len(), MOST_IN_ALL / 2, "at the end each is told");
    assert_eq!(world.nodes[0].core.under_way(), 0);
}
