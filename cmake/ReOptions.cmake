# Two INTERFACE targets carry every flag: re_options (language, sanitizers, hardening) and re_warnings.
include(CheckCXXCompilerFlag)
find_program(RE_CCACHE ccache)
if(RE_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${RE_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${RE_CCACHE}")
endif()
find_program(RE_MOLD mold)

add_library(re_options INTERFACE)
target_include_directories(re_options INTERFACE "${CMAKE_SOURCE_DIR}/include" "${CMAKE_SOURCE_DIR}/src"
                                                "${CMAKE_BINARY_DIR}/generated")
# Result and Async, which every module speaks, are Boost's types; its headers need not lie in /usr/include.
target_link_libraries(re_options INTERFACE dep_boost)
target_compile_definitions(re_options INTERFACE RE_VERSION="${PROJECT_VERSION}" $<$<BOOL:${RE_FAILPOINTS}>:RE_FAILPOINTS=1>)
if(RE_MOLD AND CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_link_options(re_options INTERFACE -fuse-ld=mold)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_options(re_options INTERFACE -g1)
endif()
if(RE_SANITIZE)
  target_compile_options(re_options INTERFACE -fsanitize=${RE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -O1)
  target_link_options(re_options INTERFACE -fsanitize=${RE_SANITIZE})
endif()
if(RE_COVERAGE)
  target_compile_options(re_options INTERFACE --coverage -fprofile-abs-path)
  target_link_options(re_options INTERFACE --coverage)
endif()
if(RE_FUZZ)
  target_compile_options(re_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
# Hardening; tests/packaging/hardening.py reads the program for it.
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(re_options INTERFACE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS -fstack-protector-strong)
  foreach(flag -fstack-clash-protection -fcf-protection -mbranch-protection=standard)  # as the processor has them
    string(MAKE_C_IDENTIFIER "RE_HAS${flag}" has)
    check_cxx_compiler_flag(${flag} ${has})
    if(${has})
      target_compile_options(re_options INTERFACE ${flag})
    endif()
  endforeach()
  target_compile_options(re_options INTERFACE -fPIE)
  target_link_options(re_options INTERFACE -pie -Wl,-z,relro,-z,now,-z,noexecstack)
  if(RE_STATIC)
    target_link_options(re_options INTERFACE -static-libstdc++ -static-libgcc -Wl,-z,pack-relative-relocs)
  endif()
endif()

# GCC 12 takes Asio's own operator new and delete for coroutine frames for a mismatched pair once it has inlined only one
# of the two (optimised and sanitizer builds): that warning is off. So is -Wrestrict where it optimises: GCC 12 warns of
# every inlined "literal" + std::string (GCC bug 105651). Clang warns of libstdc++'s own use of what C++17 deprecates
# (std::stable_sort's temporary buffer).
add_library(re_warnings INTERFACE)
target_compile_options(re_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual -Wcast-align -Wundef -Wformat=2 -Wimplicit-fallthrough
  $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete> $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-restrict> $<$<BOOL:${RE_WERROR}>:-Werror>)
