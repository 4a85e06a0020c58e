// A server that hangs up before it greets has too many logins under way (sshd's MaxStartups), perhaps our own
// last one, which it has not seen the end of. It is asked again after these pauses, which grow.
#pragma once

#include <array>
#include <chrono>

namespace re::transport {

inline constexpr std::array<std::chrono::milliseconds, 5> k_pauses_when_turned_away = {
    std::chrono::milliseconds(50), std::chrono::milliseconds(100), std::chrono::milliseconds(200),
    std::chrono::milliseconds(400), std::chrono::milliseconds(800)};

inline constexpr const char* k_turned_away_hint =
    "it may be limiting logins (MaxStartups, PerSourcePenalties), or it is no sshd";

}  // namespace re::transport
