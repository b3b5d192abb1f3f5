//! Which way bytes travel in a flow.

/// Direction relative to the flow's initiator (the client).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dir {
    /// Client to server.
    ToServer = 0,
    /// Server to client.
    ToClient = 1,
}

impl Dir {
    pub const BOTH: [Dir; 2] = [Dir::ToServer, Dir::ToClient];

    /// The other direction.
    #[inline]
    pub fn opposite(self) -> Dir {
        match self {
            Dir::ToServer => Dir::ToClient,
            Dir::ToClient => Dir::ToServer,
        }
    }

    /// Index into a two-element array: 0 to server, 1 to client.
    #[inline]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// A value per direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerDir<T> {
    pub to_server: T,
    pub to_client: T,
}

impl<T> PerDir<T> {
    pub const fn new(to_server: T, to_client: T) -> Self {
        PerDir { to_server, to_client }
    }
}

impl<T> std::ops::Index<Dir> for PerDir<T> {
    type Output = T;
    #[inline]
    fn index(&self, dir: Dir) -> &T {
        match dir {
            Dir::ToServer => &self.to_server,
            Dir::ToClient => &self.to_client,
        }
    }
}

impl<T> std::ops::IndexMut<Dir> for PerDir<T> {
    #[inline]
    fn index_mut(&mut self, dir: Dir) -> &mut T {
        match dir {
            Dir::ToServer => &mut self.to_server,
            Dir::ToClient => &mut self.to_client,
        }
    }
}
