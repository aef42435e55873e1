//! The same idle socket on `actix-web-actors`, which the project does not use: what would it cost?

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use actix::{Actor, ActorContext as _, AsyncContext as _, Handler, Message, StreamHandler};
use actix_web::{App, HttpRequest, HttpServer, web};
use actix_web_actors::ws;

use crate::{
    Arguments,
    kit::{
        TURN,
        net::{Event, Net},
        system,
    },
};

/// How often each socket is pinged, as the server does.
const PING: Duration = Duration::from_secs(22);

struct Socket;

#[derive(Message)]
#[rtype(result = "()")]
struct Deliver(String);

impl Actor for Socket {
    type Context = ws::WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(PING, |_, context| context.ping(b""));
    }
}

impl Handler<Deliver> for Socket {
    type Result = ();

    fn handle(&mut self, message: Deliver, context: &mut Self::Context) {
        context.text(message.0);
    }
}

impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Socket {
    fn handle(
        &mut self,
        message: Result<ws::Message, ws::ProtocolError>,
        context: &mut Self::Context,
    ) {
        match message {
            // An echo by way of the mailbox, as a route between two sockets would be.
            Ok(ws::Message::Text(text)) => context.address().do_send(Deliver(text.to_string())),
            Ok(ws::Message::Ping(payload)) => context.pong(&payload),
            Ok(ws::Message::Close(reason)) => {
                context.close(reason);
                context.stop();
            }
            Ok(_) => {}
            Err(_) => context.stop(),
        }
    }
}

/// The baseline server itself; runs until it is killed.
pub fn serve() -> bool {
    let served = actix_web::rt::System::new().block_on(async {
        let open = |request: HttpRequest, stream: web::Payload| async move {
            ws::start(Socket, &request, stream)
        };
        let server = HttpServer::new(move || App::new().route("/v1/visitor", web::get().to(open)));
        let server = server.workers(1).bind("127.0.0.1:0")?;
        println!("{}", server.addrs()[0]);
        server.run().await
    });
    served.is_ok()
}

/// Memory and CPU of its idle sockets.
pub fn idle(arguments: &Arguments) -> bool {
    let sockets = arguments.number("visitors", 10_000usize);
    let seconds = arguments.number("seconds", 45.0f64);
    system::pin_to(&[0]);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("baseline-server")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    system::pin_to(&[1]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut net = Net::new(line.trim().parse().unwrap());
    let (mut events, mut bytes) = (Vec::new(), Vec::new());
    // Its threads are there a moment after its greeting, and nothing says when.
    std::thread::sleep(Duration::from_millis(500));
    let before = system::resident_kib(child.id());
    let (mut opened, mut open) = (0, 0);
    while open < sockets {
        while opened < sockets && opened - open < 128 {
            net.open("/v1/visitor", None, opened);
            opened += 1;
        }
        net.turn(TURN, &mut events, &mut bytes);
        for event in &events {
            match event {
                Event::Open(id) => net.text(*id, b"{\"type\":\"hello\"}"),
                Event::Message(..) => open += 1,
                Event::Closed(..) => panic!("closed"),
            }
        }
    }
    let mut wait = |time: Duration| {
        let started = Instant::now();
        while started.elapsed() < time {
            net.turn(Duration::from_millis(50), &mut events, &mut bytes);
        }
    };
    wait(Duration::from_secs(12));
    let after = system::resident_kib(child.id());
    let cpu = system::cpu_ns(child.id());
    wait(Duration::from_secs_f64(seconds));
    let cpu = (system::cpu_ns(child.id()) - cpu) as f64 / 1e3;
    println!(
        "baseline: {sockets} sockets of actix-web-actors without any presence: {:.2} KiB each ({before} to {after} KiB); \
         {:.2} µs of CPU a second and socket over {seconds:.0} s, pings on",
        (after - before) as f64 / sockets as f64,
        cpu / seconds / sockets as f64,
    );
    child.kill().unwrap();
    child.wait().unwrap();
    true
}
