// A shell that was started ahead, and whose login files have changed since, does nothing but say so.
#pragma once

namespace re::remote {

inline constexpr int k_stale_login =
    93;  ///< its exit status; no script of ours ends so before its first mark

}  // namespace re::remote
