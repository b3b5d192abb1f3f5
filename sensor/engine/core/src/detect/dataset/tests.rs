use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("haidang-dataset-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn plan(kind: Kind, load: Option<PathBuf>, form: Form) -> Plan {
    Plan { name: "s".into(), kind, load, optional: false, save: None, memcap: 1 << 20, form }
}

#[test]
fn a_set_takes_a_value_once_and_gives_it_back() {
    let set = Dataset::open(&plan(Kind::String, None, Form::Lines)).unwrap();
    assert!(set.add(b"a", Entry::default()));
    assert!(!set.add(b"a", Entry::default()));
    assert!(set.find(b"a").is_some() && set.find(b"b").is_none());
    assert!(set.remove(b"a") && !set.remove(b"a"));
    assert!(set.is_empty());
}

#[test]
fn a_full_set_takes_no_more() {
    let set = Dataset::open(&Plan { memcap: 300, ..plan(Kind::String, None, Form::Lines) }).unwrap();
    let taken = (0u8..20).filter(|n| set.add(&[*n; 10], Entry::default())).count();
    assert_eq!(taken, 4);
}

#[test]
fn files_of_lines_hold_values_and_reputations() {
    let folder = folder("lines");
    let path = folder.join("a.csv");
    std::fs::write(&path, "Y3VybC83LjQzLjA=\nYWJj,250\n\n").unwrap();
    let set = Dataset::open(&plan(Kind::String, Some(path.clone()), Form::Lines)).unwrap();
    assert!(set.find(b"curl/7.43.0").is_some());
    assert_eq!(set.find(b"abc").unwrap().reputation, 250);
    std::fs::write(&path, "82.165.177.154\n").unwrap();
    let set = Dataset::open(&plan(Kind::Ip, Some(path.clone()), Form::Lines)).unwrap();
    assert!(set.find(&[82, 165, 177, 154]).is_some());
    for (text, what) in [("no base64!", "line 1"), ("YWJj,x", "line 1"), ("YWJj\nYWJj,70000", "line 2")] {
        std::fs::write(&path, text).unwrap();
        let error = Dataset::open(&plan(Kind::String, Some(path.clone()), Form::Lines)).err().unwrap();
        assert!(error.contains(what), "{error}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn json_gives_the_object_as_context() {
    let folder = folder("json");
    let path = folder.join("a.json");
    std::fs::write(&path, r#"{"list":[{"k":{"v":"10.0.0.1"},"year":2005}]}"#).unwrap();
    let keys = Keys { value: "k.v".into(), array: "list".into(), remove: true };
    let set = Dataset::open(&plan(Kind::Ipv4, Some(path.clone()), Form::Json(keys))).unwrap();
    let context = set.find(&[10, 0, 0, 1]).unwrap().context.unwrap();
    assert_eq!(&*context, br#"{"k":{},"year":2005}"#);
    std::fs::write(&path, "{\"v\":\"a\"}\n{\"w\":1}\n").unwrap();
    let keys = Keys { value: "v".into(), ..Keys::default() };
    let error = Dataset::open(&plan(Kind::String, Some(path), Form::JsonLines(keys))).err().unwrap();
    assert!(error.contains("line 2"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_saved_is_read_again() {
    let folder = folder("save");
    let path = folder.join("state.lst");
    let state = |kind| Plan {
        save: Some(path.clone()),
        optional: true,
        ..plan(kind, Some(path.clone()), Form::Lines)
    };
    for (kind, value) in [
        (Kind::String, &b"b\x00c"[..]),
        (Kind::Md5, &[7; 16]),
        (Kind::Sha256, &[9; 32]),
        (Kind::Ipv4, &[10, 0, 0, 1]),
        (Kind::Ip, &[1; 16]),
    ] {
        let set = Dataset::open(&state(kind)).unwrap();
        assert!(set.add(value, Entry::default()), "{kind:?}");
        set.save().unwrap();
        let again = Dataset::open(&state(kind)).unwrap();
        assert!(again.find(value).is_some() && again.len() == 1, "{kind:?}");
        std::fs::remove_file(&path).unwrap();
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn one_name_is_one_set() {
    let mut sets = Datasets::default();
    let first = sets.open(plan(Kind::String, None, Form::Lines)).unwrap();
    first.add(b"a", Entry::default());
    assert_eq!(sets.open(plan(Kind::String, None, Form::Lines)).unwrap().len(), 1);
    assert!(sets.open(plan(Kind::Md5, None, Form::Lines)).is_err());
    assert_eq!(sets.all().len(), 1);
}

#[test]
fn what_traffic_added_goes_on_in_the_next_ruleset() {
    let make = || Arc::new(Dataset::open(&plan(Kind::String, None, Form::Lines)).unwrap());
    let (first, second, third) = (make(), make(), make());
    first.will_change();
    assert!(first.add(b"a", Entry::default()));
    second.adopt(&first);
    assert!(second.add(b"b", Entry::default()), "the old one is still in use meanwhile");
    assert!(first.find(b"b").is_some());
    third.adopt(&second);
    drop((first, second));
    assert_eq!(third.len(), 2);
    assert!(third.find(b"a").is_some());
}

#[test]
fn a_set_that_is_only_a_file_is_read_again() {
    let folder = folder("again");
    let path = folder.join("a.lst");
    let open = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Arc::new(Dataset::open(&plan(Kind::String, Some(path.clone()), Form::Lines)).unwrap())
    };
    let (old, new) = (open("YQ==\n"), open("Yg==\n"));
    new.adopt(&old);
    assert!(new.find(b"a").is_none() && new.find(b"b").is_some());
    let changed = open("Yw==\n");
    changed.will_change();
    changed.adopt(&new);
    assert!(changed.find(b"b").is_some(), "where rules write, what is there stays");
    std::fs::remove_dir_all(folder).unwrap();
}
