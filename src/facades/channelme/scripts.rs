//! The script of a customer's page, under both of its names (`channelme.md` 1).

use actix_web::{HttpRequest, HttpResponse, get};

use crate::http::pages;

fn served(request: &HttpRequest) -> HttpResponse {
    pages::script(request, "facades/channelme/site_connect.js")
}

/// The name in the documentation.
#[get("/site_connect.js")]
pub async fn script(request: HttpRequest) -> HttpResponse {
    served(&request)
}

/// The name in later examples.
#[get("/siteconnect.js")]
pub async fn script_by_its_later_name(request: HttpRequest) -> HttpResponse {
    served(&request)
}
