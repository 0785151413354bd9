//! Links over tokio: TCP, TLS, WebSocket, and a pool of them.

mod backoff;
mod channel;
mod driver;
mod held;
mod link;
mod pool;
mod session_client;
mod session_server;
mod shared;
mod tcp;
mod tls;
mod websocket;

pub use backoff::Backoff;
pub use channel::{Channel, ChannelError};
pub use held::HeldSession;
pub use link::{Incoming, Link};
pub use pool::{Dial, Pool, PoolError};
pub use session_client::{Session, SessionClient, SessionError, Wish};
pub use session_server::{Served, SessionServer};
pub use tcp::{accept_tcp, connect_tcp};
pub use tls::{accept_tls, connect_tls};
pub use websocket::{
    SUBPROTOCOL, WebSocket, accept_upgraded, accept_websocket, connect_websocket, speaks_link,
};
