//! Whom an agent means: a visitor by his id, or by a code that leads to him.

use std::sync::Arc;

use super::AgentSocket;
use crate::{
    model::{
        error::{ErrorCode, Problem},
        ids::VisitorId,
        protocol::agent::Addressee,
    },
    sockets::service::refuse,
};

impl AgentSocket {
    /// Finds the visitor that an agent means, and goes on with him. A code that leads nowhere is answered.
    pub(super) fn address(
        &self,
        to: Addressee,
        request: Option<u64>,
        go_on: impl FnOnce(VisitorId) + Send + 'static,
    ) {
        let line = Arc::clone(&self.line);
        self.resolve(to, move |resolved| match resolved {
            Ok(visitor) => go_on(visitor),
            Err(problem) => refuse(&line.outbox, request, problem),
        });
    }

    /// Likewise, where a code that leads nowhere is an answer too.
    pub(super) fn address_or_nobody(
        &self,
        to: Addressee,
        request: Option<u64>,
        go_on: impl FnOnce(Option<VisitorId>) + Send + 'static,
    ) {
        let line = Arc::clone(&self.line);
        self.resolve(to, move |resolved| match resolved {
            Ok(visitor) => go_on(Some(visitor)),
            Err(problem) if problem.code == ErrorCode::VisitorNotPresent => go_on(None),
            Err(problem) => refuse(&line.outbox, request, problem),
        });
    }

    fn resolve(
        &self,
        to: Addressee,
        go_on: impl FnOnce(Result<VisitorId, Problem>) + Send + 'static,
    ) {
        match (to, &self.agent) {
            (Addressee::Visitor(visitor), _) => go_on(Ok(visitor)),
            (Addressee::Unique(code), Some(agent)) => {
                let metrics = self.service.metrics.clone();
                let counted = move |resolved: Result<VisitorId, Problem>| {
                    go_on(resolved.inspect_err(|problem| metrics.guess_refused(problem)));
                };
                let (group, address) = (agent.group.clone(), self.caller.address);
                self.service.presence.resolve(group, code, address, counted);
            }
            (Addressee::Unique(_), None) => {}
        }
    }
}
