//! Upstreams behind TLS.
#![cfg(feature = "sidecar")]

mod scripted;

use futures_util::{SinkExt, StreamExt};
use holdback::net::Trust;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use scripted::{Client, Running, Upstream, listen, soon};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{accept_async, client_async};

/// An authority of our own: its certificate in PEM, and one that it signed for loopback.
fn authority() -> (String, CertificateDer<'static>, PrivateKeyDer<'static>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("a certificate");
    let issuer = Issuer::new(params, key);

    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    (authority.pem(), certificate.into(), key.into())
}

/// Takes TLS off what comes, and hands it on to `upstream`, which is said to speak these protocols.
async fn terminate(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    upstream: SocketAddr,
    protocols: &[&str],
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config =
        config.with_no_client_auth().with_single_cert(vec![certificate], key).expect("they belong together");
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = listen().await;
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us goes.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut plain = TcpStream::connect(upstream).await.expect("the upstream listens");
            let _ = copy_bidirectional(&mut stream, &mut plain).await;
        }
    });
    address
}

#[tokio::test]
async fn an_upstream_is_believed_if_its_authority_is() {
    let upstream = Upstream::new().await;
    let (authority, certificate, key) = authority();
    let address = terminate(certificate, key, upstream.url()["http://".len()..].parse().unwrap(), &[]).await;

    let mut wary =
        Running::start(&upstream, |config| config.upstream = format!("https://{address}").parse().unwrap()).await;
    let (head, body) = Client::ask(wary.proxy, "{}").await.response().await;
    assert_eq!(head.first, "HTTP/1.1 502 Bad Gateway");
    assert!(body.contains("upstream_unreachable"), "{body}");
    let account = wary.account().await;
    assert_eq!(account.reason(), Some("upstream_unreachable"));
    assert!(account.upstream_error.as_ref().is_some_and(|error| error.contains("UnknownIssuer")), "{account:?}");

    let trusting = Running::start(&upstream, |config| {
        config.upstream = format!("https://{address}").parse().unwrap();
        let mut trust = Trust::default();
        trust.add_pem(authority.as_bytes()).expect("a certificate");
        config.trust = trust;
    })
    .await;
    let mut client = Client::ask(trusting.proxy, "{}").await;
    let mut exchange = upstream.request().await;
    exchange.reply("200 OK", "text/plain", "Nightjar").await;
    assert_eq!(client.response().await.1, "[codename]");
}

#[tokio::test]
async fn a_websocket_needs_no_http_2() {
    let upstream = Upstream::new().await;
    let (authority, certificate, key) = authority();
    let address = upstream.url()["http://".len()..].parse().unwrap();
    let address = terminate(certificate, key, address, &["h2", "http/1.1"]).await;
    let running = Running::start(&upstream, |config| {
        config.upstream = format!("https://{address}").parse().unwrap();
        config.trust.add_pem(authority.as_bytes()).expect("a certificate");
    })
    .await;

    let stream = TcpStream::connect(running.proxy).await.expect("it listens");
    let url = format!("ws://{}/v1/realtime", running.proxy);
    let (connected, accepted) =
        tokio::join!(soon(client_async(url, stream)), async { accept_async(upstream.connection().await).await });
    let (mut client, mut server) = (connected.expect("a session").0, accepted.expect("a session"));
    soon(server.send(Message::text(r#"{"text":"Nightjar"}"#))).await.expect("it reads");
    let heard = soon(client.next()).await.expect("a message").expect("no error");
    assert_eq!(heard, Message::text(r#"{"text":"[codename]"}"#));
}
