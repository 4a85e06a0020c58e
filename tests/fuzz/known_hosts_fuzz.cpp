// A known_hosts file.
#include <cstdint>
#include <string>
#include <string_view>

#include "transport/known_hosts.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(re::transport::parse_known_hosts(text));
  return 0;
}
