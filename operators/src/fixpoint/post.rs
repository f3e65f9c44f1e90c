//! Messages on their way out, sorted by receiver.

/// What a part sends in a round.
#[derive(Debug)]
pub struct Post<M> {
    to: Vec<Vec<M>>,
}

impl<M> Post<M> {
    /// No messages yet to any of so many workers.
    pub fn new(peers: usize) -> Self {
        Self { to: (0..peers).map(|_| Vec::new()).collect() }
    }

    /// Sends a message to the part of a worker: it arrives in the next round.
    ///
    /// # Panics
    ///
    /// If there is no such worker.
    #[inline]
    pub fn to(&mut self, worker: usize, message: M) {
        self.to[worker].push(message);
    }

    /// Whether nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.to.iter().all(Vec::is_empty)
    }

    /// Takes the messages out, worker by worker.
    pub fn drain(&mut self) -> impl Iterator<Item = (usize, Vec<M>)> {
        let sent = self.to.iter_mut().enumerate().filter(|(_, mail)| !mail.is_empty());
        sent.map(|(worker, mail)| (worker, std::mem::take(mail)))
    }
}
