//! RFC 6455, the client's side, and a quick look into the server's JSON.

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub const TEXT: u8 = 1;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// Adds a masked frame.
pub fn encode(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        long @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(long as u16).to_be_bytes());
        }
        longer => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(longer as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&KEY);
    let at = out.len();
    out.extend_from_slice(payload);
    for (index, byte) in out[at..].iter_mut().enumerate() {
        *byte ^= KEY[index & 3];
    }
}

/// Opcode, start and end of the payload of the first whole frame.
pub fn decode(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    if bytes.len() < 2 {
        return None;
    }
    assert!(bytes[0] & 0xf0 == 0x80 && bytes[1] & 0x80 == 0, "a frame that no server may send");
    let (at, length) = match bytes[1] & 0x7f {
        126 if bytes.len() < 4 => return None,
        126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        127 if bytes.len() < 10 => return None,
        127 => (10, u64::from_be_bytes(bytes[2..10].try_into().unwrap()) as usize),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= at + length).then_some((bytes[0] & 0x0f, at, at + length))
}

/// The request that opens a socket.
pub fn upgrade(path: &str, origin: Option<&str>) -> Vec<u8> {
    let origin = origin.map(|origin| format!("Origin: {origin}\r\n")).unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{origin}\r\n"
    )
    .into_bytes()
}

/// The text of a string field, found without parsing: for messages whose form is known.
pub fn string_field<'a>(message: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = memchr::memmem::find(message, name)? + name.len();
    let rest = message.get(at..)?.strip_prefix(b"\":\"")?;
    rest.get(..rest.iter().position(|byte| *byte == b'"')?)
}

/// A whole number's field, likewise.
pub fn number_field(message: &[u8], name: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(message, name)? + name.len();
    let rest = message.get(at..)?.strip_prefix(b"\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// Whether the message is of that type.
pub fn is_type(message: &[u8], kind: &str) -> bool {
    let head = b"\"type\":\"";
    // Nearly always the first field; events have it further behind.
    let at = match message.get(1..) {
        Some(rest) if rest.starts_with(head) => Some(1),
        _ => memchr::memmem::find(message, head),
    };
    at.and_then(|at| message.get(at + head.len()..))
        .and_then(|rest| rest.strip_prefix(kind.as_bytes()))
        .is_some_and(|rest| rest.first() == Some(&b'"'))
}
