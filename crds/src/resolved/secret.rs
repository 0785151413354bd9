use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};

/// A Secret. Its values are not shown by `Debug` and not by `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct FinalSecret {
    /// Its name.
    pub name: String,
    /// Its type: `Opaque`, `kubernetes.io/tls`, `kubernetes.io/basic-auth`, …
    pub kind: String,
    /// Its values by key, decoded.
    pub data: BTreeMap<String, Vec<u8>>,
}

impl FinalSecret {
    /// The keys `username` and `password`, when both are there and text.
    pub fn user_and_password(&self) -> Option<(&str, &str)> {
        Some((self.text("username")?, self.text("password")?))
    }

    /// The keys `tls.crt` and `tls.key`: a certificate chain and its private key, both in PEM.
    pub fn certificate_and_key(&self) -> Option<(&[u8], &[u8])> {
        Some((self.data.get("tls.crt")?, self.data.get("tls.key")?))
    }

    fn text(&self, key: &str) -> Option<&str> {
        std::str::from_utf8(self.data.get(key)?).ok()
    }
}

impl fmt::Debug for FinalSecret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.data.keys().collect();
        out.debug_struct("FinalSecret")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("keys", &keys)
            .finish()
    }
}

impl Serialize for FinalSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.data.keys())
    }
}
