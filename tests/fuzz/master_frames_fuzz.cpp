// What a client may send to the connection master.
#include <cstdint>
#include <string>
#include <string_view>

#include "re/base/error.hpp"
#include "transport/master_protocol.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string received(text);
  try {
    while (auto frame = re::transport::master::take_frame(received)) {
      static_cast<void>(re::transport::master::parse_connect(frame->body));
      static_cast<void>(re::transport::master::parse_exec(frame->body));
      static_cast<void>(re::transport::master::parse_forward(frame->body));
      static_cast<void>(re::transport::master::parse_error(frame->body));
      static_cast<void>(re::transport::master::parse_question(frame->body));
    }
  } catch (const re::Error&) {  // the client is let go
  }
  return 0;
}
