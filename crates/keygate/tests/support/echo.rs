use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Error,
        handshake::server::{Callback, ErrorResponse, Request, Response},
    },
};

/// A WebSocket server that sends each message back, and notes what it is asked and told.
pub struct Echo {
    pub url: String,
    asked: Arc<Mutex<Vec<HeaderMap>>>,
    told: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
}

impl Echo {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let echo = Self {
            url: format!("http://{address}"),
            asked: Arc::default(),
            told: Arc::default(),
            open: Arc::default(),
        };
        let (asked, told, open) = (echo.asked.clone(), echo.told.clone(), echo.open.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, told, open) = (asked.clone(), told.clone(), open.clone());
                tokio::spawn(async move {
                    open.fetch_add(1, Ordering::SeqCst);
                    let _ = answer(stream, &asked, &told).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        echo
    }

    pub fn last_asked(&self) -> HeaderMap {
        let asked = self.asked.lock().expect("not poisoned");
        asked.last().expect("it was asked").clone()
    }

    pub fn told(&self) -> Vec<String> {
        self.told.lock().expect("not poisoned").clone()
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

async fn answer(
    stream: TcpStream,
    asked: &Mutex<Vec<HeaderMap>>,
    told: &Mutex<Vec<String>>,
) -> Result<(), Error> {
    let mut socket = accept_hdr_async(stream, Note(asked)).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            let text = String::from_utf8_lossy(&message.clone().into_data()).into_owned();
            told.lock().expect("not poisoned").push(text);
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Accepts every handshake, and notes its headers.
struct Note<'a>(&'a Mutex<Vec<HeaderMap>>);

impl Callback for Note<'_> {
    fn on_request(self, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
        let headers = request.headers().clone();
        self.0.lock().expect("not poisoned").push(headers);
        Ok(response)
    }
}
