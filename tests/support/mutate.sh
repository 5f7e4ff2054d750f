# Sourced by tests/mutations: makes one edit in a copy of the tree and looks whether a test notices.
#
# The library is compiled once, unedited, into an archive, with a list of what each object includes. Of an edited tree only the
# objects that include the edited file and that the test links are compiled again; all others come from the archive.
# What a run needs again lies in build/mutations: archives, how long each test takes, and results (for --resume).
# shellcheck shell=bash
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$source/build/mutations
cc=${CC:-gcc}
flags=(-w -std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc -Itests/support)
libraries=(-lcmocka -lpthread)
export ASAN_OPTIONS=allocator_may_return_null=1
missed=0 left=0 number=0
resume='' seconds=1000000 wanted=()

flavour_flags() {
    case $1 in
    asan) echo -O1 -fsanitize=address ;;
    fast) echo -O2 ;;
    esac
}

# object FILE: its name in a directory of objects.
object() {
    local name=${1//\//_}
    echo "${name%.c}.o"
}

# file_of OBJECT: what it is made of.
file_of() {
    case $1 in
    src_*) echo "src/${1#src_}" ;;
    tests_support_*) echo "tests/support/${1#tests_support_}" ;;
    tests_*) echo "tests/${1#tests_}" ;;
    esac | sed 's/o$/c/'
}

# includes OBJECT: the files of this project that it was made of, one a line.
includes() {
    tr -d '\\' <"${1%.o}.d" | tr -s ' ' '\n' | sed 1d
}

# fresh OBJECT: whether it is not older than any file that it was made of.
fresh() {
    local file knows=''
    [[ -e $1 && -e ${1%.o}.d ]] || return 1
    for file in $(includes "$1"); do
        [[ -e $file && ! $file -nt $1 ]] || return 1
        knows=yes
    done
    [[ $knows ]] # a list without files is of who was stopped, or had no room
}

# compile FLAVOUR DIRECTORY FILE...: makes their objects, of the tree that is the current directory.
compile() {
    local flavour=$1 directory=$2 file target
    shift 2
    for file; do
        target=$directory/$(object "$file")
        # shellcheck disable=SC2046
        printf '%s\0' "$file" "$target" "${target%.o}.d" "$cc" "${flags[@]}" $(flavour_flags "$flavour")
    done |
        # shellcheck disable=SC2016
        xargs -0 -r -n $((4 + ${#flags[@]} + $(flavour_flags "$flavour" | wc -w))) -P "$(nproc)" \
            bash -c 'file=$0 to=$1 list=$2; shift 2; "$@" -MMD -MF "$list.part" -c "$file" -o "$to.part" && mv "$list.part" "$list" && mv "$to.part" "$to"' 2>"$work/compiler" 9>&-
}

# archive FLAVOUR: what the unedited tree makes, but for tests.
archive() {
    local flavour=$1 file stale=()
    mkdir -p "$work/$flavour"
    cd "$source" || exit 1
    for file in $(find src tests/support -name '*.c' ! -name platform_posix.c); do
        fresh "$work/$flavour/$(object "$file")" || stale+=("$file")
    done
    if ((${#stale[@]})) || [[ ! -e $work/$flavour/all.a ]]; then
        compile "$flavour" "$work/$flavour" "${stale[@]}" || { cat "$work/compiler" && exit 1; }
        rm -f "$work/$flavour/all.a"
        ar rcs "$work/$flavour/all.a" "$work/$flavour"/{src,tests_support}_*.o
    fi
}

# unedited FLAVOUR TEST: the object of a test.
unedited() {
    local target
    target=$work/$1/$(object "tests/test_$2.c")
    cd "$source" || exit 1
    fresh "$target" || compile "$1" "$work/$1" "tests/test_$2.c"
}

# link FLAVOUR PROGRAM OBJECT...: prints the members of the archive that it takes.
link() {
    local flavour=$1 program=$2
    shift 2
    # shellcheck disable=SC2046
    "$cc" $(flavour_flags "$flavour") "$@" "$work/$flavour/all.a" "${libraries[@]}" -Wl,-Map="$work/map" -o "$program" 2>"$work/compiler" || return
    grep -o '/all\.a([a-z_0-9]*\.o)' "$work/map" | sort -u | sed 's/.*(\(.*\))/\1/'
}

# limit FLAVOUR TEST: the seconds that a test may take with an edit, or nothing: it fails without one, and so proves nothing.
limit() {
    local base=$work/$1/$2 target
    target=$work/$1/$(object "tests/test_$2.c")
    unedited "$1" "$2" || return
    if [[ ! $base.took -nt $work/$1/all.a || ! $base.took -nt $target ]]; then
        link "$1" "$base" "$target" >/dev/null || return
        local start=$SECONDS
        (cd "$work/edit" && timeout 150 "$base") >"$base.out" 2>&1 9>&- || return
        echo $((SECONDS - start)) >"$base.took"
    fi
    echo $((30 + 4 * $(<"$base.took")))
}

# stale FLAVOUR FILE: objects of those on the standard input that include a file, and are not made of the edited tree yet.
stale() {
    local member
    while read -r member; do
        [[ -e $work/edit/$1/$member ]] || ! includes "$work/$1/$member" | grep -xF "$2" >/dev/null || file_of "$member"
    done
}

# build FLAVOUR TEST FILE: the program of a test, of a tree where a file is edited.
build() {
    local flavour=$1 test=$2 file=$3 test_object todo members
    test_object=$(object "tests/test_$test.c")
    mkdir -p "$work/edit/$flavour"
    cd "$work/edit/tree" || exit 1
    todo=$(stale "$flavour" "$file" <<<"$test_object")
    [[ -z $todo ]] || compile "$flavour" "$work/edit/$flavour" "$todo" || return
    [[ ! -e $work/edit/$flavour/$test_object ]] && test_object=$work/$flavour/$test_object || test_object=$work/edit/$flavour/$test_object
    while :; do # what is compiled again may need more members
        members=$(link "$flavour" "$work/edit/program" "$test_object" $(find "$work/edit/$flavour" -name '*.o' ! -name 'tests_test_*')) || return
        todo=$(stale "$flavour" "$file" <<<"$members")
        [[ -n $todo ]] || return 0
        # shellcheck disable=SC2086
        compile "$flavour" "$work/edit/$flavour" $todo || return
    done
}

# try FLAVOUR TEST FILE: whether a test notices that a file is edited, with how.
try() {
    local flavour=$1 test=$2 file=$3 most runs status=0
    most=$(limit "$flavour" "$test") && [[ $most ]] || { how="$test FAILS WITHOUT THE EDIT" && return 2; }
    build "$flavour" "$test" "$file" || { how="does not compile: $(grep -m1 'error\|undefined' "$work/compiler")" && return 2; }
    for ((runs = 0; runs < (${#seldom} ? 5 : 1) && status == 0; runs++)); do
        { (cd "$work/edit" && timeout "$most" ./program) >"$work/edit/out" 2>&1 9>&- || status=$?; } 2>/dev/null # a shell tells of signals
    done
    case $status in
    0) return 1 ;;
    124) how="$test hangs" ;;
    *) how="$test: $(grep -aohm1 'FAILED  \] [A-Za-z0-9_]*\|ERROR: [A-Za-z]*: [a-z-]*' "$work/edit/out" | sed 's/.*[]:] //')" ;;
    esac
    return 0 # also where it fails without such a line
}

# edit FILE EDIT: makes a copy of the tree with it, or fails where it changes nothing.
edit() {
    rm -rf "$work/edit" && mkdir -p "$work/edit/tree" && cp -rp "$source"/{include,src,tests} "$work/edit/tree/" || exit 1
    perl -0pi -e "$2" "$work/edit/tree/$1"
    ! cmp -s "$work/edit/tree/$1" "$source/$1"
}

# notice FILE EDIT TEST...: looks for a test that notices, and tells in `how`.
notice() {
    local file=$1 change=$2 test result
    shift 2
    how="NOT CAUGHT$seldom"
    edit "$file" "$change" || { how='EDIT DOES NOT APPLY' && return 2; }
    for test; do
        result=0
        case $test in
        asan:*) try asan "${test#asan:}" "$file" || result=$? ;;
        *) try fast "$test" "$file" || result=$? ;;
        esac
        ((result == 1)) || return "$result"
    done
    compgen -G "$work/edit/*/*.o" >/dev/null || { how='NO TEST LINKS IT' && return 2; }
    [[ $seldom ]]
}

wants() {
    ((${#wanted[@]} == 0)) || grep -qF -f <(printf '%s\n' "${wanted[@]}") <<<"$1"
}

# earlier KEY: the line of an edit that was tried before, if those count.
earlier() {
    [[ $resume && -e $work/results ]] && grep -F "$1 " "$work/results" | tail -1 | cut -d ' ' -f 2- | grep .
}

# mutation NAME FILE EDIT TEST...: the tests that may notice; asan:TEST runs under the address sanitizer.
mutation() {
    local name=$1 key seldom=${seldom-} how= line
    number=$((number + 1))
    wants "$name" || return 0
    key=$(printf '%s\n' "$@" | sha1sum | cut -c 1-16)
    if ! line=$(earlier "$key"); then
        ((SECONDS < seconds)) || { left=$((left + 1)) && return; }
        [[ ! -t 2 ]] || printf '%d of %d: %s\r' "$number" "$total" "$name" >&2
        shift
        if notice "$@"; then line=caught; else line=missed; fi
        line+=" $(printf '%-58s %s' "$name" "$how")"
        echo "$key $line" >>"$work/results"
        [[ ! -t 2 ]] || printf '\e[K' >&2
        echo "${line#* }"
    fi
    [[ $line == caught* ]] || missed=$((missed + 1))
}

# seldom NAME ...: a mutation whose window is a few instructions wide: not every run, nor every machine, hits it. Tests run five times.
seldom() {
    local seldom=' this time'
    mutation "$@"
}

# start LIST [--resume] [--for SECONDS] [NAME...]: with --resume, passes over those that were tried before.
start() {
    total=$(grep -cE '^(mutation|seldom) ' "$1")
    shift
    wanted=()
    while (($#)); do
        case $1 in
        --resume) resume=yes ;;
        --for) seconds=$2 && shift ;;
        *) wanted+=("$1") ;;
        esac
        shift
    done
    mkdir -p "$work/edit"
    exec 9>"$work/lock" # closed for what is started below, which may outlast a run that is stopped
    flock -n 9 || { echo 'another run is under way' >&2 && exit 2; }
    [[ $resume || ${#wanted[@]} -gt 0 ]] || rm -f "$work/results"
    archive fast && archive asan
}

# finish: says how many were not caught, and fails if there are any.
finish() {
    ((left == 0)) || printf '%d not tried\n' "$left"
    printf '%d not caught\n' "$missed"
    ((missed == 0 && left == 0))
}
