//! Hardware addresses, as Wake-on-LAN names hosts by them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The hardware address of one network card: six bytes, neither zero nor a group's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress([u8; 6]);

/// A text or a number that is no network card's hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hardware address looks like 02:00:5e:10:00:01 and is not one of a group")]
pub struct NoMacAddress;

impl MacAddress {
    /// Takes the six bytes.
    ///
    /// # Errors
    /// [`NoMacAddress`] if they are all zero, or those of a group or of everybody.
    pub fn new(bytes: [u8; 6]) -> Result<Self, NoMacAddress> {
        let is_group = bytes[0] & 1 == 1;
        if is_group || bytes == [0; 6] {
            Err(NoMacAddress)
        } else {
            Ok(Self(bytes))
        }
    }

    /// Gives the six bytes.
    pub fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.map(|byte| format!("{byte:02x}")).join(":"))
    }
}

impl FromStr for MacAddress {
    type Err = NoMacAddress;

    /// Reads six pairs of hexadecimal digits between colons or hyphens.
    fn from_str(text: &str) -> Result<Self, NoMacAddress> {
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut bytes = [0; 6];
        let mut pairs = text.split(separator);
        for byte in &mut bytes {
            let pair = pairs.next().ok_or(NoMacAddress)?;
            hex::decode_to_slice(pair, std::slice::from_mut(byte)).map_err(|_| NoMacAddress)?;
        }
        match pairs.next() {
            None => Self::new(bytes),
            Some(_) => Err(NoMacAddress),
        }
    }
}

impl TryFrom<String> for MacAddress {
    type Error = NoMacAddress;

    fn try_from(text: String) -> Result<Self, NoMacAddress> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(address: MacAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::MacAddress;

    #[test]
    fn both_spellings_are_one_address() {
        let colons: MacAddress = "02:00:5E:10:00:01".parse().unwrap();
        assert_eq!(Ok(colons), "02-00-5e-10-00-01".parse());
        assert_eq!(colons.bytes(), [2, 0, 0x5e, 0x10, 0, 1]);
        assert_eq!(colons.to_string(), "02:00:5e:10:00:01");
    }

    #[test]
    fn what_is_no_card_is_refused() {
        for text in [
            "",
            "02:00:5e:10:00",
            "02:00:5e:10:00:01:02",
            "02:00:5e:10:00:1",
            "02:00:5e:10:00:01 ",
            "02:00:5e:10:00:0g",
            "02:00-5e:10-00:01",
            "02005e100001",
            "+2:00:5e:10:00:01",
            "$(reboot)",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "01:00:5e:00:00:01",
        ] {
            assert!(text.parse::<MacAddress>().is_err(), "{text}");
        }
    }
}
