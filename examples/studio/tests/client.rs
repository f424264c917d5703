use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A request as bytes go over the wire, so that a test can send what no client library would.
pub struct Request {
    method: &'static str,
    path: String,
    host: Option<String>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new("POST", path);
        request.body = body.into();
        request
    }

    pub fn json(path: &str, body: &Value) -> Self {
        Self::post(path, body.to_string()).header("content-type", "application/json")
    }

    pub fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            host: None,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends the request and hands out the connection, from which nothing has been read.
    pub fn start(&self, port: u16) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .unwrap();
        let host = self.host.clone().unwrap_or(format!("127.0.0.1:{port}"));
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\n\r\n", self.body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // A server that refuses a body need not read it to its end.
        let _ = stream.write_all(&self.body);
        BufReader::new(stream)
    }

    /// Sends the request until a connection is not reset before its answer: where the system's queue of connections is
    /// full, no server has read anything.
    fn answered(&self, port: u16) -> (BufReader<TcpStream>, Head) {
        for _ in 0..TRIES {
            let mut reader = self.start(port);
            match try_head(&mut reader) {
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                found => return (reader, found.unwrap()),
            }
        }
        panic!("{TRIES} connections were reset");
    }

    pub fn send(&self, port: u16) -> Answer {
        let (mut reader, (status, headers)) = self.answered(port);
        let mut body = Vec::new();
        let chunked = headers
            .iter()
            .any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        if chunked {
            while let Some(chunk) = chunk(&mut reader) {
                body.extend(chunk);
            }
        } else {
            let length = headers.iter().find(|(name, _)| name == "content-length");
            let length: u64 = length.map_or(0, |(_, value)| value.parse().unwrap());
            reader.take(length).read_to_end(&mut body).unwrap();
        }
        Answer {
            status,
            headers,
            body,
        }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}

/// Status and headers, their names in small letters.
type Head = (u16, Vec<(String, String)>);

pub fn head(reader: &mut impl BufRead) -> Head {
    try_head(reader).unwrap()
}

const TRIES: usize = 5;

fn try_head(reader: &mut impl BufRead) -> Result<Head, Error> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1);
    let status = status.ok_or(ErrorKind::ConnectionReset)?.parse().unwrap();
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
            None => return Ok((status, headers)),
        }
    }
}

/// The next piece of a chunked body; none at its end.
pub fn chunk(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let length = usize::from_str_radix(line.trim(), 16).ok()?;
    let mut bytes = vec![0; length + 2];
    reader.read_exact(&mut bytes).ok()?;
    bytes.truncate(length);
    (length > 0).then_some(bytes)
}

/// Events of a stream as they come: name and data.
pub fn events(answer: &[u8]) -> Vec<(String, Value)> {
    let text = String::from_utf8_lossy(answer);
    let blocks = text.split("\n\n");
    // The last one may not be whole yet.
    let whole = blocks.filter_map(|block| {
        let (name, data) = block.strip_prefix("event: ")?.split_once("\ndata: ")?;
        Some((name.to_owned(), serde_json::from_str(data).ok()?))
    });
    whole.collect()
}
