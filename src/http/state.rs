//! What every request can reach, and how a request waits for the core.

use tokio::sync::oneshot;

use crate::{
    model::error::{ErrorCode, Problem},
    sockets::service::SocketService,
};

/// What every request can reach: the same as every socket.
pub type State = actix_web::web::Data<SocketService>;

/// Calls a function of the core that answers by a callback, and waits for the answer.
///
/// # Errors
/// `internal` when the core dropped the callback, which a panic in it does.
pub async fn ask<T: Send + 'static>(
    call: impl FnOnce(Box<dyn FnOnce(T) + Send>),
) -> Result<T, Problem> {
    let (sender, receiver) = oneshot::channel();
    call(Box::new(move |answer| {
        // The asker may have gone; then nobody needs the answer.
        let _ = sender.send(answer);
    }));
    receiver.await.map_err(|_| Problem::new(ErrorCode::Internal, "the service gave no answer"))
}
