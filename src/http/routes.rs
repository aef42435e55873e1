//! Every route of the HTTP server, in one list.

use actix_web::web::ServiceConfig;

use super::{
    assets, chats, documents, events, explain, help, keys, links, operations, pages, past_chats,
    past_sessions, revocations, session_tickets, sessions, signals, tokens, topics, visitors,
    watch, webhooks,
};

/// Adds all routes but the facades'.
pub fn routes(service: &mut ServiceConfig) {
    service
        // REST
        .service(tokens::create)
        .service(keys::jwks)
        .service(revocations::revoke)
        .service(revocations::list)
        .service(revocations::take_back)
        .service(visitors::list)
        .service(visitors::one)
        .service(explain::explain)
        .service(help::list)
        .service(help::claim)
        .service(help::decline)
        .service(signals::send_signal)
        .service(signals::send_invocation)
        .service(signals::signal_state)
        .service(topics::publish)
        .service(topics::publish_batch)
        .service(topics::retained)
        .service(topics::history)
        .service(session_tickets::begin)
        .service(sessions::list)
        .service(past_sessions::list)
        .service(sessions::one)
        .service(past_sessions::consents)
        .service(sessions::end)
        .service(session_tickets::create)
        .service(sessions::give_code)
        .service(chats::buttons)
        .service(chats::list)
        .service(chats::invite)
        .service(chats::one)
        .service(chats::claim)
        .service(chats::release)
        .service(chats::say)
        .service(chats::end)
        .service(past_chats::list)
        .service(past_chats::erase_of_visitor)
        .service(past_chats::erase_one)
        .service(links::create)
        .service(assets::put_asset)
        .service(assets::read_asset)
        .service(events::read)
        .service(webhooks::list)
        .service(webhooks::list_letters)
        .service(webhooks::redeliver_all)
        .service(webhooks::redeliver_one)
        .service(webhooks::delete_all)
        .service(webhooks::delete_one)
        // operations
        .service(operations::healthz)
        .service(operations::readyz)
        .service(operations::metrics)
        .service(documents::openapi_json)
        .service(documents::asyncapi_json)
        .service(pages::about)
        // pages
        .service(pages::index)
        .service(pages::docs)
        .service(pages::shop)
        .service(pages::desk)
        .service(pages::desk_config)
        .service(pages::desk_token)
        .service(watch::watch)
        .service(watch::link)
        .service(pages::checkout)
        .service(pages::shop_page)
        .service(pages::asset)
        .service(pages::sdk);
}
