//! What was missed on the channels of several parts, told together: a master that is lost takes its parts' channels with it,
//! and they come back one by one.

use std::{cell::Cell, rc::Rc, time::Duration};

/// How long later cuts are gathered.
const GATHERED_FOR: Duration = Duration::from_millis(100);

/// Tells the first cut at once, and those that follow soon in one go; where there is only one part, each at once.
pub(super) struct Gap {
    told: Cell<Told>,
    gathers: bool,
}

#[derive(Clone, Copy, Default)]
enum Told {
    /// Nothing lately.
    #[default]
    Nothing,
    /// Something lately.
    Something,
    /// And there is more to tell.
    NotAll,
}

impl Gap {
    /// Of so many parts.
    pub(super) fn of(parts: usize) -> Rc<Self> {
        Rc::new(Self { told: Cell::default(), gathers: parts > 1 })
    }

    /// Something was missed until now: calls `tell`, now, or once for all cuts that come in these moments.
    pub(super) fn tell(self: &Rc<Self>, tell: impl Fn() + 'static) {
        if !self.gathers {
            return tell();
        }
        if !matches!(self.told.get(), Told::Nothing) {
            return self.told.set(Told::NotAll);
        }
        self.told.set(Told::Something);
        tell();
        let gap = Rc::clone(self);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(GATHERED_FOR).await;
                match gap.told.replace(Told::Something) {
                    Told::NotAll => tell(),
                    Told::Nothing | Told::Something => return gap.told.set(Told::Nothing),
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until(holds: impl Fn() -> bool) {
        let held = async {
            while !holds() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), held).await.expect("it does not come about");
    }

    #[tokio::test]
    async fn cuts_that_follow_each_other_are_told_at_the_first_and_behind_the_last() {
        let told = Rc::new(Cell::new(0));
        let tell = || {
            let told = Rc::clone(&told);
            move || told.set(told.get() + 1)
        };
        let cuts = async {
            let gap = Gap::of(2);
            (0..5).for_each(|_| gap.tell(tell()));
            assert_eq!(told.get(), 1, "at once");
            until(|| told.get() > 1).await;
            gap.tell(tell());
            assert_eq!(told.get(), 2, "once more for all others");
            until(|| matches!(gap.told.get(), Told::Nothing)).await;
            assert_eq!(told.get(), 3, "also behind that");
            gap.tell(tell());
            assert_eq!(told.get(), 4, "and after a pause at once again");
        };
        tokio::task::LocalSet::new().run_until(cuts).await;
    }
}
