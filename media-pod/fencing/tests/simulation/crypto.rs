//! The operator's real key and an alien one; what was computed once is remembered, because seeds sign the same grants.

use std::{cell::RefCell, collections::HashMap};

use millrace_fencing::{Grant, GrantError, Keyring, SignedGrant, Signer, Verify};

thread_local! {
    static SIGNED: RefCell<HashMap<(bool, Grant), SignedGrant>> = RefCell::default();
    static VERIFIED: RefCell<HashMap<SignedGrant, Result<(), GrantError>>> = RefCell::default();
}

pub struct Keys {
    operator: Signer,
    alien: Signer,
    ring: Keyring,
    /// For a negative control: anything passes.
    pub gullible: bool,
}

impl Keys {
    pub fn new(gullible: bool) -> Self {
        let (operator, alien) = (Signer::from_seed(&[1; 32]).unwrap(), Signer::from_seed(&[2; 32]).unwrap());
        let mut ring = Keyring::default();
        ring.add(operator.public()).unwrap();
        Self { operator, alien, ring, gullible }
    }

    fn by(&self, operator: bool, grant: &Grant) -> SignedGrant {
        let signer = if operator { &self.operator } else { &self.alien };
        let key = (operator, grant.clone());
        SIGNED.with_borrow_mut(|all| all.entry(key).or_insert_with(|| signer.sign(grant)).clone())
    }

    pub fn sign(&self, grant: &Grant) -> SignedGrant {
        self.by(true, grant)
    }

    pub fn forge(&self, grant: &Grant) -> SignedGrant {
        self.by(false, grant)
    }
}

impl Verify for Keys {
    fn verify<'a>(&self, signed: &'a SignedGrant) -> Result<&'a Grant, GrantError> {
        if self.gullible {
            return Ok(signed.claim());
        }
        VERIFIED.with_borrow_mut(|all| {
            if !all.contains_key(signed) {
                all.insert(signed.clone(), self.ring.verify(signed).map(|_| ()));
            }
            all[signed].clone().map(|()| signed.claim())
        })
    }
}
