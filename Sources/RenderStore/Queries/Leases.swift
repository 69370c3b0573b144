internal import RenderModel

enum LeaseSQL {
  static let select = "SELECT name, holder, token, expires_at FROM leases WHERE name = ?1"

  static let save = """
    INSERT INTO leases (name, holder, token, expires_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (name) DO UPDATE
      SET holder = excluded.holder, token = excluded.token, expires_at = excluded.expires_at
    """
}

extension RenderStore {
  /// The lease of a name as it was last, nil if it was never taken.
  func lease(_ name: String) throws(StoreError) -> Lease? {
    let statement = statements.selectLease
    statement.bind(1, name)
    return try statement.first { row in
      Lease(
        name: row.text(0),
        holder: row.text(1),
        token: row.integer(2),
        expiresAt: row.time(3)
      )
    }
  }

  func save(_ lease: Lease) throws(StoreError) {
    let statement = statements.saveLease
    statement.bind(1, lease.name)
    statement.bind(2, lease.holder)
    statement.bind(3, lease.token)
    statement.bind(4, lease.expiresAt.milliseconds)
    try statement.run()
  }
}
