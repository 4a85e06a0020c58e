// Who may go on now: so many at once, and no two for the same.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "re/sys/async.hpp"

namespace re::engine {

/// First come, first served, but for those who wait for another of their own kind. All in one thread.
class Turnstile {
 private:
  struct Inside;

 public:
  /// A place within, held until the destructor or leave(). A default one holds nothing.
  class Turn {
   public:
    Turn();
    Turn(Turn&& other) noexcept;
    Turn& operator=(Turn&& other) noexcept;
    ~Turn();
    void leave() noexcept;

   private:
    friend class Turnstile;
    Turn(std::shared_ptr<Inside> inside, std::string kind);
    std::shared_ptr<Inside> m_inside;
    std::string m_kind;
  };

  /// \param width how many may be within at the same time
  explicit Turnstile(std::size_t width);
  /// \param kind no two of one kind are within; empty: alike to none
  Async<Turn> enter(std::string kind);

 private:
  std::shared_ptr<Inside> m_inside;
};

}  // namespace re::engine
