use crate::{
    config::{CoSignerAt, Config},
    cosigner,
    refusal::Refusal,
};

/// `gatehouse cosigner`; the portal may run meanwhile.
///
/// # Errors
/// What is wrong with the co-signer, after all else was printed.
pub(super) async fn show(config: &Config) -> Result<(), Refusal> {
    let cosigner = cosigner::open(config)?.port;
    let identity = cosigner.identity();
    match &config.cosigner {
        CoSignerAt::InProcess { dir } => println!(
            "The co-signer runs inside the portal, with its keys in {}. On a host of its own it would hold when this one is broken into.",
            dir.display()
        ),
        CoSignerAt::Service(service) => println!("The co-signer is {}.", service.url),
    }
    println!(
        "It knows this portal as {}, by this key:",
        identity.server_id
    );
    print!("{}", identity.identity_pem);
    cosigner
        .status()
        .await
        .map_err(|failure| Refusal::new(failure.detail()))?;
    println!("It answers and trusts this portal.");
    Ok(())
}
