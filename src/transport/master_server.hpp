// The connection master's own side. See re/transport/master.hpp.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "re/sys/async.hpp"

namespace re::transport {

struct MasterServerOptions {
  std::filesystem::path directory;
  std::filesystem::path state_directory;
  std::chrono::milliseconds persist{0};
  std::filesystem::path cache_directory = {};  ///< for what is kept between masters; empty: nothing is
};

inline constexpr std::string_view k_master_socket = "master.sock";
inline constexpr std::string_view k_master_lock = "master.lock";  ///< held while a master serves

class MasterServer {
 public:
  enum class Start { serving, another_serves };
  /// Throws Error (config, io).
  explicit MasterServer(IoContext& io, MasterServerOptions options);
  ~MasterServer();
  MasterServer(const MasterServer&) = delete;
  MasterServer& operator=(const MasterServer&) = delete;

  /// Takes the lock and listens. Throws Error (config: the directory is not private; io).
  Start start();
  /// Until it is idle, told to stop, or its socket is gone.
  Async<void> serve();

 private:
  class Parts;
  std::shared_ptr<Parts> m_parts;
};

/// Who this program is: clients and master of different builds do not talk to each other.
std::string master_version();

}  // namespace re::transport
