/// Every method of the wire, in the order of the contract.
public enum Catalogue {
  public static let methods: [any Method.Type] = [
    TransitionMethod.self,
    RegenerateMethod.self,
    GetStatusMethod.self,
    GetStatusesMethod.self,
    ListStatusesMethod.self,
    GetHistoryMethod.self,
    SubscribeMethod.self,
    UnsubscribeMethod.self,
    AcquireLeaseMethod.self,
    ReleaseLeaseMethod.self,
    InitializeMethod.self,
    StatsMethod.self,
    PingMethod.self,
    DiscoverMethod.self,
    ShutdownMethod.self,
  ]

  /// The version of the contract.
  public static let protocolVersion = 1
}
