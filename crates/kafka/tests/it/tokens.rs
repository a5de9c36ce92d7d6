//! A server that gives out tokens, as far as a client of OIDC asks for them: unsigned ones, which the broker of the tests believes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How long a token holds.
const LIFE_S: u64 = 600;

/// Serves tokens of this user for as long as the process lives; gives the URL.
pub(crate) fn serve(user: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let _ = answer(client, user);
        }
    });
    url
}

fn answer(mut client: TcpStream, user: &str) -> std::io::Result<()> {
    let grant = form_of(&mut BufReader::new(&client))?;
    let (status, body) = match grant.contains("grant_type=client_credentials") {
        true => {
            ("200 OK", format!(r#"{{"access_token":"{}","token_type":"Bearer","expires_in":{LIFE_S}}}"#, token(user)))
        }
        false => ("400 Bad Request", r#"{"error":"unsupported_grant_type"}"#.to_owned()),
    };
    write!(
        client,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// What was posted.
fn form_of(request: &mut impl std::io::BufRead) -> std::io::Result<String> {
    let mut n_bytes = 0;
    for line in request.by_ref().lines() {
        let line = line?.to_ascii_lowercase();
        match line.strip_prefix("content-length:") {
            _ if line.is_empty() => break,
            Some(n) => n_bytes = n.trim().parse().unwrap_or(0),
            None => {}
        }
    }
    let mut form = String::new();
    request.take(n_bytes).read_to_string(&mut form)?;
    Ok(form)
}

fn token(user: &str) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = format!(r#"{{"sub":"{user}","iat":{now_s},"exp":{}}}"#, now_s + LIFE_S);
    let [header, claims] = [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.")
}
