use std::io;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A client that calls the data plane again and again over one connection, as fast as can be.
pub struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Caller {
    pub async fn connect(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("plain http");
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket option");
        Self {
            stream,
            buffer: vec![0; 4096],
        }
    }

    /// The status of the answer to a call with this key.
    pub async fn call(&mut self, key: &str) -> io::Result<u16> {
        self.send(key).await?;
        self.read_status().await
    }

    /// The status of the answer to a call like `GET /v1/models` with this key.
    pub async fn ask(&mut self, call: &str, key: &str) -> io::Result<u16> {
        self.send_call(call, key).await?;
        self.read_status().await
    }

    /// Sends a call with this key, which may then wait before the program.
    pub async fn send(&mut self, key: &str) -> io::Result<()> {
        self.send_call("GET /v1/models", key).await
    }

    async fn send_call(&mut self, call: &str, key: &str) -> io::Result<()> {
        let length = if call.starts_with("POST") {
            "Content-Length: 0\r\n"
        } else {
            ""
        };
        let request =
            format!("{call} HTTP/1.1\r\nHost: x\r\n{length}Authorization: Bearer {key}\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await
    }

    /// Waits until the program closes the connection, and says nothing more.
    pub async fn closed(&mut self) -> io::Result<()> {
        match self.stream.read(&mut self.buffer).await? {
            0 => Ok(()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// Reads one answer whole.
    pub async fn read_status(&mut self) -> io::Result<u16> {
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            let text = std::str::from_utf8(&self.buffer[..filled]).expect("ASCII");
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().expect("a number"));
            if body.len() >= length {
                return Ok(head[9..12].parse().expect("a status"));
            }
        }
    }
}
