// What `ssh -G` prints.
#include <cstdint>
#include <string>
#include <string_view>

#include "transport/ssh_config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(re::transport::parse_ssh_config(text));
  static_cast<void>(re::transport::parse_proxy_jump(std::string(text)));
  return 0;
}
