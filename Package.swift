// swift-tools-version: 6.2
import PackageDescription

/// What every target of ours is compiled with; warnings are errors where `CI` is set.
let settings: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ] + (Context.environment["CI"] == nil ? [] : [.treatAllWarnings(as: .error)])

let grdb: [Target.Dependency] = [
  .product(name: "GRDB", package: "GRDB.swift"),
  .product(name: "GRDBSQLite", package: "GRDB.swift"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser",
  package: "swift-argument-parser"
)

let package = Package(
  name: "renderstate",
  products: [
    .executable(name: "renderstate", targets: ["renderstate"])
  ],
  dependencies: [
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // JSON values, their text, and nothing of what they mean.
    .target(name: "JSON", swiftSettings: settings),
    .testTarget(name: "JSONTests", dependencies: ["JSON", "Support"], swiftSettings: settings),

    // Bytes to messages and back, one line each, in order.
    .target(name: "JSONRPC", dependencies: ["JSON"], swiftSettings: settings),
    .testTarget(
      name: "JSONRPCTests",
      dependencies: ["JSONRPC", "JSON", "Support"],
      swiftSettings: settings
    ),

    // Which transitions are legal and what each one does.
    .target(name: "RenderModel", dependencies: ["JSON"], swiftSettings: settings),
    .testTarget(
      name: "RenderModelTests",
      dependencies: ["RenderModel", "JSON", "Support"],
      swiftSettings: settings
    ),

    // Every method, notification and error of the wire.
    .target(
      name: "RenderProtocol",
      dependencies: ["JSON", "JSONRPC", "RenderModel"],
      swiftSettings: settings
    ),
    .testTarget(
      name: "RenderProtocolTests",
      dependencies: ["RenderProtocol", "RenderModel", "JSONRPC", "JSON", "Support"],
      swiftSettings: settings
    ),

    // The store: schema, triggers, queries, the gate.
    .systemLibrary(name: "SQLiteConfig"),
    .target(
      name: "RenderStore",
      dependencies: ["RenderModel", "JSON", "SQLiteConfig", logging] + grdb,
      swiftSettings: settings
    ),
    .testTarget(
      name: "RenderStoreTests",
      dependencies: ["RenderStore", "RenderModel", "JSON", "Support", logging] + grdb,
      // Read where it stands.
      exclude: ["Schema1.sql", "Schema2.sql"],
      swiftSettings: settings
    ),

    // One handler per method; subscriptions, watchdog, leases.
    .target(
      name: "Sidecar",
      dependencies: [
        "JSON", "JSONRPC", "RenderModel", "RenderProtocol", "RenderStore", logging,
      ],
      swiftSettings: settings
    ),
    .testTarget(
      name: "SidecarTests",
      dependencies: [
        "Sidecar", "RenderProtocol", "RenderStore", "RenderModel", "JSONRPC", "JSON", "Support",
        logging,
      ] + grdb,
      swiftSettings: settings
    ),

    // The command.
    .executableTarget(
      name: "renderstate",
      dependencies: [
        "Sidecar", "RenderProtocol", "RenderStore", "RenderModel", "JSONRPC", "JSON",
        "SQLiteConfig", arguments, logging,
      ],
      swiftSettings: settings
    ),
    .testTarget(
      name: "renderstateTests",
      dependencies: [
        "renderstate", "RenderProtocol", "RenderStore", "RenderModel", "JSON", "Support", arguments,
        logging,
      ],
      // Read where they stand, so that they can be re-made.
      exclude: ["Help", "Output"],
      swiftSettings: settings
    ),

    // What tests share: temporary folders, a clock to set, sidecars in memory and as processes.
    .target(
      name: "Support",
      dependencies: [
        "Sidecar", "RenderStore", "RenderModel", "JSONRPC", "JSON", logging,
      ],
      path: "Tests/Support",
      swiftSettings: settings
    ),
  ],
  swiftLanguageModes: [.v6]
)

// The fuzzers, built where they are asked for only, with `--sanitize fuzzer`: see Tests/Faults/scenarios/fuzzing.py.
if Context.environment["RENDERSTATE_FUZZERS"] != nil {
  package.targets += [
    .executableTarget(
      name: "LineFuzzer",
      dependencies: ["Sidecar", "JSONRPC", "JSON"],
      path: "Tests/Faults/fuzzers/Lines",
      swiftSettings: settings
    ),
    .executableTarget(
      name: "SessionFuzzer",
      dependencies: ["Sidecar", "RenderStore", "RenderModel", "JSONRPC", "JSON", logging],
      path: "Tests/Faults/fuzzers/Sessions",
      swiftSettings: settings
    ),
  ]
}
