// A known_hosts file, and key files.
#include <cstdint>
#include <string>
#include <string_view>

#include "transport/known_hosts.hpp"
#include "transport/ssh2_key_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(re::transport::parse_known_hosts(text));
  static_cast<void>(re::transport::parse_key_file(text));
  static_cast<void>(re::transport::parse_public_key(text));
  static_cast<void>(re::transport::unencrypted_private_part(text));
  return 0;
}
