# Debian packages: which ones each job takes, and how the missing ones get here. Sourced, not run.

build_packages=(gcc libc6-dev cmake ninja-build libxxhash-dev systemtap-sdt-dev)
test_packages=("${build_packages[@]}" g++ pkgconf libcmocka-dev binutils valgrind gdb python3)
check_packages=("${test_packages[@]}" git clang clang-format clang-tidy)
docs_packages=(doxygen)

installed() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# as_root COMMAND...: runs it, through sudo if need be.
as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# need PACKAGE...: installs those that are missing.
need() {
    local missing=() package
    if ! command -v dpkg-query apt-get >/dev/null; then
        echo "no apt-get here; if something is missing, install what Debian calls: $*" >&2
        return
    fi
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    echo "== installing ${missing[*]}" >&2
    if ((EUID == 0)) || command -v sudo >/dev/null; then
        as_root apt-get -q update >&2 || true # an old list may do
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends "${missing[@]}" >&2 && return
    fi
    echo "cannot install these Debian packages; please do it by hand: ${missing[*]}" >&2
    return 1
}

# need_compiler COMPILER: gcc, gcc-N, clang or clang-N, with its C++ twin.
need_compiler() {
    case $1 in
    gcc*) need "$1" "g++${1#gcc}" ;;
    *) need "$1" ;;
    esac
}

# need_sanitizers COMPILER: their run-time libraries, which come with gcc but apart from Debian's clang.
need_sanitizers() {
    local version
    echo 'int main(void) { return 0; }' | "$1" -fsanitize=address -x c - -o /dev/null 2>/dev/null && return
    version=$("$1" -dumpversion)
    need "libclang-rt-${version%%.*}-dev"
}
